"""Methods that choose images that differ: what is sent first, last, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backhaul.arrays import Float32Array
from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from backhaul.errors import InputError
from backhaul.identity import canonical
from backhaul.look.copies import Pixels, learn_nearness
from backhaul.look.descriptors import descriptor
from backhaul.sampling import (
    DiverseSampling,
    DSbadSampling,
    KCenterSampling,
    PpalSampling,
    SamplingMethod,
    TypicalitySampling,
)
from backhaul.sampling.diversity.duplicates import NEAR
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.features import Features
from backhaul.values.offers import Nearness, Offers, Pool, SentBefore
from backhaul.values.selections import Selection
from backhaul.values.validation import Validation
from tests.unit.sampling.conftest import PoolOf, Seen

SEEN: Seen = {f"{i:02d}": [(0, 0.5 + 0.01 * i)] for i in range(20)}
PLAIN = {"explore": 0.0, "noise": 0.0}


def with_vectors(pool: Pool, vectors: Sequence[Sequence[float]] | Float32Array) -> Pool:
    found = Features(names_of(pool.image_id), np.array(vectors, np.float32))
    return replace(pool, detections=replace(pool.detections, descriptors=found))


def after(pool: Pool, vectors: Sequence[Sequence[float]]) -> Pool:
    names = tuple(f"old-{i}" for i in range(len(vectors)))
    known = Features(names_of(names), np.array(vectors, np.float32))
    return replace(pool, sent_before=SentBefore(names, descriptors=known))


def on_a_line(n: int) -> Float32Array:
    return np.column_stack([np.arange(n), np.ones(n)]).astype(np.float32)


def sent_of(
    method: SamplingMethod,
    pool: Pool,
    seed: int = 0,
    **most: int,
) -> Selection:
    return method.select(pool, Bandwidth(**most), rng=np.random.default_rng(seed))


def test_k_center_goes_from_the_middle_to_the_ends(pool_of: PoolOf) -> None:
    pool = with_vectors(pool_of(SEEN), on_a_line(20))
    sent = sent_of(KCenterSampling(), pool, images=3)
    assert sent.image_id.tolist() == ["09", "19", "00"]
    assert sent.reason.tolist() == [
        "nearest to the mean of all",
        "10 from the nearest sent",
        "9 from the nearest sent",
    ]


def test_k_center_goes_on_from_what_was_sent_before(pool_of: PoolOf) -> None:
    pool = after(with_vectors(pool_of(SEEN), on_a_line(20)), [[0, 1], [19, 1]])
    assert sent_of(KCenterSampling(), pool, images=1).image_id.tolist() == ["09"]


def test_near_duplicates_are_sent_last(pool_of: PoolOf) -> None:
    vectors = np.repeat(on_a_line(10), 2, axis=0)  # each image twice
    method = KCenterSampling(suppress=True, near=0.5)
    assert method.needs == {"descriptors"}
    sent = sent_of(method, with_vectors(pool_of(SEEN), vectors), images=15)
    first = sent.image_id[:10].tolist()
    assert sorted(first) == [f"{i:02d}" for i in range(0, 20, 2)]
    assert [reason.startswith("near-duplicate") for reason in sent.reason] == [False] * 10 + [
        True
    ] * 5


def test_images_that_nobody_could_look_at_are_sent_last(pool_of: PoolOf) -> None:
    vectors = on_a_line(20)
    vectors[:5] = 0
    for method in (KCenterSampling(), TypicalitySampling(), DiverseSampling(explore=0)):
        sent = sent_of(method, with_vectors(pool_of(SEEN), vectors), images=18)
        assert sent.image_id[15:].tolist() == ["00", "01", "02"]
        assert set(sent.reason[15:]) == {"filled what was left"}


def test_needs_are_the_vectors_that_are_compared() -> None:
    assert KCenterSampling(space="features").needs == {"features"}
    assert KCenterSampling(space="features", suppress=True).needs == {"features", "descriptors"}
    assert DiverseSampling().needs == {"descriptors"}
    assert TypicalitySampling(space="features").needs == {"features"}


def test_a_pool_without_vectors_is_refused(pool_of: PoolOf) -> None:
    with pytest.raises(InputError, match="needs features"):
        sent_of(KCenterSampling(space="features"), pool_of(SEEN), images=1)


def test_typical_images_of_clusters_without_any_sent_come_first(pool_of: PoolOf) -> None:
    centers = np.array([[0, 9], [50, 9], [99, 9], [50, 99]], np.float32)
    spread = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1.2]], np.float32)
    vectors = (centers[:, None] + spread).reshape(-1, 2)
    pool = after(with_vectors(pool_of(SEEN), vectors), [[0, 9], [1, 10]])
    for seed in range(20):
        sent = sent_of(TypicalitySampling(), pool, seed, images=2)
        cluster = np.array(sent.image_id, dtype=int) // 5
        assert 0 not in cluster
        assert len(set(cluster)) == 2


def test_the_value_is_the_mean_of_the_three_largest_entropies(pool_of: PoolOf) -> None:
    seen: Mapping[str, list[tuple[int, float]]] = {
        "one": [(0, 0.5)],
        "none": [],
        "sure": [(0, 1.0), (1, 0.0)],
        "four": [(0, 0.9), (1, 0.5), (0, 0.5), (0, 0.2)],
    }
    of_fifth = -0.2 * np.log(0.2) - 0.8 * np.log(0.8)
    expected = [np.log(2), np.nan, 0, (2 * np.log(2) + of_fifth) / 3]
    assert DiverseSampling().values(pool_of(seen)).tolist() == pytest.approx(
        expected, nan_ok=True
    )


def test_only_the_most_valuable_are_candidates(pool_of: PoolOf) -> None:
    pool = with_vectors(pool_of(SEEN), on_a_line(20))  # "00" is the least sure
    least_sure = sent_of(DiverseSampling(candidates=4, **PLAIN), pool, images=2)
    assert set(least_sure.image_id) <= {f"{i:02d}" for i in range(8)}
    assert least_sure.image_id.tolist() == ["03", "07"]
    method = DiverseSampling(candidates=2, utility="confidence", aggregate="max", **PLAIN)
    assert set(sent_of(method, pool, images=2).image_id) <= {"16", "17", "18", "19"}


def test_of_near_duplicates_the_most_valuable_is_sent(pool_of: PoolOf) -> None:
    vectors = np.repeat(on_a_line(10), 2, axis=0)
    method = DiverseSampling(
        utility="confidence", aggregate="max", candidates=10, near=0.5, **PLAIN
    )
    pool = with_vectors(pool_of(SEEN), vectors)
    sent = sent_of(method, pool, images=12)
    assert sorted(sent.image_id[:10]) == [f"{i:02d}" for i in range(1, 20, 2)]
    assert set(sent.reason[10:]) == {"near-duplicate, filled what was left"}
    later = after(pool, [[9, 1], [8, 1]])
    assert not {"19", "18", "17", "16"} & set(sent_of(method, later, images=8).image_id)


def test_auto_takes_the_distance_that_was_learned(pool_of: PoolOf) -> None:
    pool = with_vectors(pool_of(SEEN), np.repeat(on_a_line(10), 2, axis=0))
    method = DiverseSampling(near="auto", candidates=10, **PLAIN)
    assert method.needs == {"descriptors", "nearness"}
    with pytest.raises(InputError, match="needs nearness"):
        sent_of(method, pool, images=1)
    for distance, n_different in ((0.5, 10), (1.5, 5)):
        known = replace(pool, nearness=Nearness(distance))
        sent = sent_of(method, known, images=20)
        duplicates = [why.startswith("near-duplicate") for why in sent.reason]
        assert duplicates == [False] * n_different + [True] * (20 - n_different)


def test_near_duplicates_are_near_in_descriptors_and_in_features(pool_of: PoolOf) -> None:
    pool = pool_of({name: [(0, 0.5)] for name in ("a", "b", "c", "d")})
    looks = Features(names_of("abcd"), np.array([[1, 1], [1, 1], [1, 9], [1, 5]], np.float32))
    inside = Features(names_of("abcd"), np.array([[2], [2.1], [2], [8]], np.float32))
    pool = replace(
        pool,
        detections=replace(pool.detections, descriptors=looks, features=inside),
        nearness=Nearness(1.0, feature_weight=5.0),
        sent_before=SentBefore(
            ("old",),
            Features(names_of(["old"]), np.array([[2]], np.float32)),
            Features(names_of(["old"]), np.array([[1, 5]], np.float32)),
        ),
    )
    method = KCenterSampling(space="features", suppress=True, near="auto")
    sent = sent_of(method, pool, images=4)
    why = dict(zip(sent.image_id, sent.reason, strict=True))
    assert [name for name in "abcd" if why[name].startswith("near-dup")] == ["b"]
    alone = replace(pool, nearness=Nearness(1.0))
    sent = sent_of(method, alone, images=4)
    why = dict(zip(sent.image_id, sent.reason, strict=True))
    assert [name for name in "abcd" if why[name].startswith("near-dup")] == ["b", "d"]


def test_the_same_scene_of_two_nodes_is_sent_once(pool_of: PoolOf) -> None:
    names = ["east/1", "east/2", "west/1", "west/2"]
    vectors = [[1.0, 1.0], [5.0, 1.0], [1.01, 1.0], [9.0, 1.0]]
    pool = with_vectors(pool_of({name: [(0, 0.5)] for name in names}), vectors)
    sent = sent_of(DiverseSampling(**PLAIN), pool, images=3)
    assert len({"east/1", "west/1"} & set(sent.image_id)) == 1


def test_d_sbad_spreads_among_the_surest_images(pool_of: PoolOf) -> None:
    pool = with_vectors(pool_of(SEEN), on_a_line(20))  # "19" is the surest
    sent = sent_of(DSbadSampling(), pool, images=4)
    assert set(sent.image_id) <= {f"{i:02d}" for i in range(12, 20)}
    assert {"12", "19"} <= set(sent.image_id)


def test_few_images_without_detection_are_sent_while_others_are_left(pool_of: PoolOf) -> None:
    seen = {f"{i:03d}": [(0, 0.5)] if i < 100 else [] for i in range(200)}
    vectors = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    vectors[100:] *= 3  # the most different ones
    pool = with_vectors(pool_of(seen), vectors)
    method = DiverseSampling(near=0.0, candidates=10)
    for seed in range(5):
        sent = sent_of(method, pool, seed, images=40)
        assert sum(name >= "100" for name in sent.image_id) == 4
    assert sum(name >= "100" for name in sent_of(method, pool, bytes=4000).image_id) == 4
    alone = with_vectors(pool_of({f"{i}": [] for i in range(9)}), on_a_line(9))
    everything = sent_of(DiverseSampling(**PLAIN), alone, images=5)
    assert set(everything.image_id) >= {"0", "8"}
    assert set(everything.reason) == {"without detection, filled what was left"}


@pytest.mark.parametrize(
    "method",
    [
        DiverseSampling(utility="localisation-spread", near=0.0, **PLAIN),
        PpalSampling(utility="localisation-spread", space="descriptors"),
    ],
)
def test_images_of_unknown_value_are_not_without_detection(
    method: SamplingMethod, pool_of: PoolOf
) -> None:
    seen = {f"{i:02d}": [(0, 0.5)] if i < 30 else [] for i in range(40)}
    pool = with_vectors(
        pool_of(seen), np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    )
    n = len(pool.detections)
    iou = np.where(np.arange(n) < 10, 0.5, np.nan)  # one checkpoint alone saw the others
    found = replace(
        pool.detections,
        vote_fraction=np.full(n, 0.5),
        pairwise_iou=iou,
        mutual_information=np.zeros(n),
    )
    none = np.zeros(0)
    classes = none.astype(np.int64)
    validation = Validation(detected=classes, actual=classes, confidence=none, iou=none)
    sent = sent_of(method, replace(pool, detections=found, validation=validation), images=30)
    assert sum(name >= "30" for name in sent.image_id) <= 3
    of = dict(zip(sent.image_id, sent.reason, strict=True))
    assert not [n for n, why in of.items() if n < "30" and "without detection" in why]
    assert canonical(method)["revision"] == 2
    assert "revision" not in canonical(method.model_copy(update={"utility": "bald"}))


def test_a_share_explores_at_random(pool_of: PoolOf) -> None:
    pool = with_vectors(pool_of(SEEN), on_a_line(20))
    method = DiverseSampling(explore=0.25)
    first = [sent_of(method, pool, seed, images=8) for seed in range(12)]
    explored = [
        {n for n, why in zip(s.image_id, s.reason, strict=True) if "rand" in why} for s in first
    ]
    assert {len(names) for names in explored} == {2}
    assert len(set.union(*explored)) > 10


def test_nearness_is_what_copies_of_frames_show(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes", DigitsData(images=30, size_px=96))
    files = sorted((tmp_path / "scenes").rglob("*.png"))
    frames = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    assert len(frames) == 30

    def describe(images: Sequence[Pixels]) -> Float32Array:
        return np.array([descriptor(image) for image in images])

    learned = learn_nearness(frames, describe, rng=np.random.default_rng(0))
    assert pytest.approx(learned.distance, rel=0.25) == NEAR


@pytest.fixture(scope="module")
def many(pool_of: PoolOf) -> Pool:
    """100,000 images; half of them look the same."""
    n = 100_000
    vectors = np.random.default_rng(0).normal(size=(n, 4))
    vectors[: n // 2] = 1
    offers = Offers.originals([f"{i:06d}" for i in range(n)], np.full(n, 1000))
    return with_vectors(replace(pool_of({}), offers=offers), vectors.astype(np.float32))


@pytest.mark.parametrize("kind", [KCenterSampling, TypicalitySampling, DiverseSampling])
def test_a_hundred_thousand_images_are_no_burden(
    many: Pool, kind: type[KCenterSampling]
) -> None:
    assert len(sent_of(kind(), many, images=30, bytes=20_500)) == 20
