"""What `auto` decides, by pools whose near-duplicates and empty images are counted by hand."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from backhaul.arrays import Float32Array
from backhaul.sampling import AutoSampling, DiverseSampling, TrueRandomSampling
from backhaul.sampling.auto import Traits, traits_of
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.features import Features
from backhaul.values.offers import Pool, SentBefore
from tests.unit.sampling.conftest import PoolOf

BYTES = Bandwidth(bytes=500)


def pool_with(pool_of: PoolOf, places: list[float], empty: int = 0, size: int = 100) -> Pool:
    """Return images at places on a line; the first `empty` of them have no detection."""
    seen = {f"{i:02d}": [(0, 0.5)] * (i >= empty) for i in range(len(places))}
    pool = pool_of(seen, size)
    vectors: Float32Array = np.column_stack([places, np.ones(len(places))]).astype(np.float32)
    found = Features(names_of(pool.image_id), vectors)
    return replace(pool, detections=replace(pool.detections, descriptors=found))


def test_traits_are_counted(pool_of: PoolOf) -> None:
    pool = pool_with(pool_of, [0, 0.1, 1, 1, 2], empty=2)
    traits = traits_of(pool, BYTES, 0.15)
    assert list(traits) == [pytest.approx(0.4), 0.4, 1.0]
    known = Features(names_of(["old"]), np.array([[2.0, 1.0]], np.float32))
    after = replace(pool, sent_before=SentBefore(("old",), descriptors=known))
    assert traits_of(after, BYTES, 0.15).near_duplicates == pytest.approx(0.6)


def test_images_that_nobody_could_look_at_are_no_near_duplicates(pool_of: PoolOf) -> None:
    pool = pool_with(pool_of, [0, 1, 2, 3])
    found = Features(names_of(pool.image_id), np.zeros((4, 2), np.float32))
    blind = replace(pool, detections=replace(pool.detections, descriptors=found))
    assert traits_of(blind, BYTES, 0.15).near_duplicates == 0


def test_bytes_count_where_they_are_limited(pool_of: PoolOf) -> None:
    pool = pool_with(pool_of, [0, 1, 2, 3, 4])
    sizes = np.array([100, 100, 200, 300, 300])
    pool = replace(pool, offers=replace(pool.offers, size_bytes=sizes))
    assert traits_of(pool, BYTES, 0.15).unevenness == 3.0
    assert traits_of(pool, Bandwidth(images=2), 0.15).unevenness == 1.0


@pytest.mark.parametrize(
    ("traits", "expected", "why"),
    [
        (
            Traits(0.61, 0.1, 2.0),
            DiverseSampling(gamma=0.5),
            "61% of the images are near-duplicates -> diverse, gamma 0.5",
        ),
        (
            Traits(0.3, 0.3, 1.0),
            DiverseSampling(gamma=0.0),
            (
                "30% of the images are near-duplicates, "
                "30% are without any detection -> diverse, gamma 0"
            ),
        ),
        (
            Traits(0.12, 0.05, 2.0),
            TrueRandomSampling(),
            (
                "only 12% of the images are near-duplicates, "
                "5% without any detection -> true-random"
            ),
        ),
        (
            Traits(0.12, None, 2.0),
            TrueRandomSampling(),
            "only 12% of the images are near-duplicates -> true-random",
        ),
    ],
)
def test_decisions(
    traits: Traits, expected: DiverseSampling | TrueRandomSampling, why: str
) -> None:
    assert AutoSampling().decide(traits) == (expected, why)


def test_it_chooses_what_the_method_would_and_says_why(
    pool_of: PoolOf, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pool_with(pool_of, [0, 0, 0, 0, 1, 2, 3])
    limits = Bandwidth(images=3)
    with caplog.at_level(logging.INFO, "backhaul"):
        sent = AutoSampling(label="by-itself").select(
            pool, limits, rng=np.random.default_rng(3)
        )
    diverse = DiverseSampling(gamma=0).select(pool, limits, rng=np.random.default_rng(3))
    why = "43% of the images are near-duplicates -> diverse, gamma 0"
    own = [record for record in caplog.records if record.name == "backhaul.sampling.auto"]
    assert [record.getMessage() for record in own] == [f"by-itself: {why}"]
    assert sent.image_id.tolist() == diverse.image_id.tolist()
    assert sent.method.tolist() == ["by-itself"] * 3
    assert sent.reason.tolist() == [f"{why}: {reason}" for reason in diverse.reason]
