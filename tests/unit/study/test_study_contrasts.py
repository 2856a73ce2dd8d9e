"""Choices that differ on purpose: in what order they go, and that they spend what they may."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from backhaul.sampling import Method, SamplingMethod
from backhaul.study.studyfile import load_study
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features
from backhaul.values.offers import Offers, Pool

CONFIGS = Path(__file__).parents[3] / "configs" / "studies"
N = 40


@pytest.fixture
def pool() -> Pool:
    """Images in four scenes of ten; image i has i % 4 detections, and 100 + i bytes."""
    names = [f"{i:02d}" for i in range(N)]
    seen = [name for i, name in enumerate(names) for _ in range(i % 4)]
    n = len(seen)
    vectors = np.column_stack([np.repeat(np.arange(4) * 10, 10), np.linspace(0, 1, N)])
    found = FusedDetections(
        image_id=names_of(seen),
        class_id=np.zeros(n, dtype=np.int64),
        confidence=np.full(n, 0.5),
        confidence_std=np.zeros(n),
        votes=np.ones(n, dtype=np.int64),
        xyxy=np.zeros((n, 4)),
        box_spread=np.zeros(n),
        descriptors=Features(names_of(names), vectors.astype(np.float32)),
    )
    files = [f"/frames/f{i}.jpg" for i in range(N)]
    return Pool(Offers.originals(names, np.arange(100, 100 + N), files), found)


def chosen(pool: Pool, name: str, seed: int = 0, n: int = 8, **params: Any) -> list[int]:
    code = {"use": f"backhaul.study.contrasts:{name}", "params": params}
    method: SamplingMethod = TypeAdapter(Method).validate_python({"kind": "user", "code": code})
    method.require(pool)
    limits = Bandwidth(images=n, bytes=1_200)
    rng = np.random.default_rng(seed)
    sent = method.select(pool, limits, rng=rng)
    assert sent.size_bytes.sum() <= 1_200
    order = np.random.default_rng(1).permutation(N)
    files = replace(pool, offers=pool.offers.take(order))
    again = method.select(files, limits, rng=np.random.default_rng(seed))
    assert again.image_id.tolist() == sent.image_id.tolist()
    assert len(sent) == n
    return [int(image) for image in sent.image_id]


def test_repeating_sends_one_scene_as_far_as_it_is_told(pool: Pool) -> None:
    for seed in range(5):
        assert len({image // 10 for image in chosen(pool, "Repeating", seed)}) == 1
        half = chosen(pool, "Repeating", seed, share=0.5)
        assert len({image // 10 for image in half[:4]}) == 1
    none = [chosen(pool, "Repeating", seed, share=0.0) for seed in range(5)]
    assert max(len({image // 10 for image in each}) for each in none) == 4


def test_orders(pool: Pool) -> None:
    assert {image % 4 for image in chosen(pool, "ByDetections", first="fewest")} == {0}
    assert {image % 4 for image in chosen(pool, "ByDetections", first="most")} == {3}
    assert chosen(pool, "BySize", first="smallest") == list(range(8))
    assert chosen(pool, "BySize", first="largest") == list(range(N - 1, N - 9, -1))


def test_a_stretch_is_one_of_time(pool: Pool) -> None:
    found = chosen(pool, "Stretch", begin=0.5, end=0.75)
    assert all(20 <= image < 30 for image in found)
    short = chosen(pool, "Stretch", begin=0, end=0.1)
    assert sorted(short)[:4] == [0, 1, 2, 3]  # and then others


def test_the_studies_are_what_they_say() -> None:
    screening = load_study(CONFIGS / "screening.yaml")
    n_choices = len(screening.arms) + screening.draws
    assert n_choices * len(screening.seeds.choose) >= 40
    gains = load_study(CONFIGS / "gainmap.yaml")
    streams = {(s.data.bursts.most, s.data.empty) for s in gains.sets.values()}  # type: ignore[union-attr]
    assert streams == {(most, empty) for most in (1, 4, 16) for empty in (0, 0.2, 0.5)}
    [same] = {s.model_copy(update={"data": None}) for s in gains.sets.values()}
    assert same == screening.sets["digits"].model_copy(update={"data": None})
