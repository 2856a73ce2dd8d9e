"""PPAL: difficulty and weights by hand, distances by brute force, and what is sent."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import exp, log
from typing import Any

import numpy as np
import pytest

from backhaul.arrays import Float32Array, FloatArray
from backhaul.sampling import PpalSampling
from backhaul.sampling.difficulty import class_weight, difficulty, quality
from backhaul.sampling.diversity.matched import (
    class_mass,
    class_matched_distances,
    farthest_first,
    medoids,
)
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of, positions
from backhaul.values.features import Features
from backhaul.values.offers import Pool
from backhaul.values.validation import NO_CLASS, Validation
from tests.unit.sampling.conftest import PoolOf

# Class 0: one found well, one missed. Class 1: one found, one taken for class 0. Then an alarm.
VALIDATION = Validation(
    detected=np.array([0, NO_CLASS, 1, 0, 2]),
    actual=np.array([0, 0, 1, 1, NO_CLASS]),
    confidence=np.array([0.81, 0.0, 1.0, 0.9, 0.7]),
    iou=np.array([0.64, 0.0, 1.0, 0.8, 0.0]),
)
OF_FIRST = 0.81**0.6 * 0.64**0.4


def test_quality_and_difficulty_by_hand() -> None:
    got = quality(np.array([0.81, 0.0, 1.0]), np.array([0.64, 0.0, 1.0]))
    assert got.tolist() == pytest.approx([OF_FIRST, 0.0, 1.0])
    assert quality(np.array([0.25]), np.array([0.81]), 0.5).tolist() == pytest.approx([0.45])
    of_classes = difficulty(VALIDATION, np.array([1, 0, 2, 7]))
    assert of_classes.tolist() == pytest.approx([0.5, 1 - OF_FIRST / 2, 1.0, 1.0])
    assert quality(np.zeros(2), np.zeros(2), 0.0).tolist() == [0, 0]
    assert len(difficulty(VALIDATION, np.zeros(0, dtype=np.int64))) == 0


def test_weights_by_hand() -> None:
    got = class_weight(np.array([0.0, 0.5, 1.0]))
    middle = 1 + 0.3 * 0.2 * log(1 + (exp(1 / 0.3) - 1) * 0.5)
    assert got.tolist() == pytest.approx([1.0, middle, 1.2])
    assert middle == pytest.approx(1.1605, abs=1e-4)


def by_brute_force(
    one: list[tuple[int, float]],
    other: list[tuple[int, float]],
    u: Float32Array,
    v: Float32Array,
) -> float:
    """Return the distance of two images object by object, each with its image's vector."""

    def similarity(objects: list[Any], others: list[Any]) -> float:
        cosine = float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
        total = matched = 0.0
        for class_id, confidence in objects:
            best = max([cosine for k, _ in others if k == class_id] + [0.0])
            total += confidence
            matched += confidence * best
        return matched / total

    return 1 - (similarity(one, other) + similarity(other, one)) / 2


def random_pool(pool_of: PoolOf, seed: int, n: int = 12) -> tuple[Pool, Any, Float32Array]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, n)
    seen = {
        f"{i:02d}": [(int(rng.integers(0, 4)), float(rng.random())) for _ in range(size)]
        for i, size in enumerate(sizes)
    }
    return pool_of(seen), seen, rng.normal(size=(n, 3)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_distances_are_those_of_brute_force(pool_of: PoolOf, seed: int) -> None:
    pool, seen, vectors = random_pool(pool_of, seed)
    found = pool.detections
    mass = class_mass(found, positions(found.image_id, pool.image_id), len(pool))
    apart = class_matched_distances(vectors, mass)
    assert np.diag(apart).tolist() == [0] * len(pool)
    for i, j in combinations(range(len(pool)), 2):
        a, b = pool.image_id[i], pool.image_id[j]
        expected = by_brute_force(seen[a], seen[b], vectors[i], vectors[j])
        assert apart[i, j] == apart[j, i] == pytest.approx(expected, abs=1e-5)


def on_a_line(*places: float) -> FloatArray:
    return np.abs(np.subtract.outer(places, places))


def test_centers_are_far_from_each_other_and_then_move_to_the_middle() -> None:
    apart = on_a_line(0, 1, 2, 10, 11, 12, 30)
    cost = np.ones((7, 1))
    start = farthest_first(apart, cost, np.array([3.0]))
    assert start.tolist() == [3, 6, 0]
    assert medoids(apart, start).tolist() == [4, 6, 1]
    cost[6] = 9
    assert farthest_first(apart, cost, np.array([3.0])).tolist() == [3, 0, 2]


def test_equal_images_keep_their_clusters() -> None:
    apart = np.zeros((4, 4))
    start = farthest_first(apart, np.ones((4, 1)), np.array([3.0]))
    assert sorted(medoids(apart, start).tolist()) == sorted(start.tolist())


@pytest.mark.parametrize("seed", range(3))
def test_moving_never_makes_clusters_wider(pool_of: PoolOf, seed: int) -> None:
    pool, _, vectors = random_pool(pool_of, seed, 30)
    found = pool.detections
    mass = class_mass(found, positions(found.image_id, pool.image_id), len(pool))
    apart = class_matched_distances(vectors, mass)
    start = farthest_first(apart, np.ones((30, 1)), np.array([5.0]))
    end = medoids(apart, start)
    assert len(set(end.tolist())) == 5
    assert apart[:, end].min(axis=1).sum() <= apart[:, start].min(axis=1).sum()


def with_all(pool: Pool, vectors: Float32Array, n_classes: int = 4) -> Pool:
    """Return the pool with features, and scores of detections of one class alone."""
    found = pool.detections
    scores = np.zeros((len(found), n_classes))
    scores[np.arange(len(found)), found.class_id] = found.confidence
    features = Features(names_of(pool.image_id), vectors)
    seen = replace(found, scores=scores, features=features)
    return replace(pool, detections=seen, validation=VALIDATION)


def sent(method: PpalSampling, pool: Pool, images: int) -> list[str]:
    rng = np.random.default_rng(0)
    names: list[str] = method.select(pool, Bandwidth(images=images), rng=rng).image_id.tolist()
    return names


def test_equal_doubt_counts_more_in_a_difficult_class(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.5)], "b": [(1, 0.5)], "c": [(3, 0.5)]})
    pool = with_all(pool, np.ones((3, 2), np.float32))
    hard = difficulty(VALIDATION, np.array([0, 1, 3]))
    values = PpalSampling().values(pool)
    assert values.tolist() == pytest.approx((log(2) * class_weight(hard)).tolist())
    assert sent(PpalSampling(candidates=1), pool, 1) == ["c"]  # never seen in validation
    assert PpalSampling().needs == {"scores", "features", "validation"}


def test_one_of_each_cluster_is_sent_among_the_best(pool_of: PoolOf) -> None:
    """Two kinds of uncertain images, and sure ones that differ from all."""
    seen = {f"{i:02d}": [(0 if i < 4 else 1, 0.5)] for i in range(8)}
    seen |= {f"{i:02d}": [(2, 1.0)] for i in range(8, 12)}
    vectors = np.ones((12, 2), np.float32)
    vectors[8:] = [[1, -1], [-1, 1], [-1, -1], [0, 1]]
    chosen = sent(PpalSampling(), with_all(pool_of(seen), vectors), 2)
    assert sorted(int(name) // 4 for name in chosen) == [0, 1]


def test_images_without_detection_get_a_share_or_nothing(pool_of: PoolOf) -> None:
    seen: dict[str, list[tuple[int, float]]] = {
        f"{i:02d}": [(0, 0.5)] if i < 20 else [] for i in range(30)
    }
    vectors = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    pool = with_all(pool_of(seen), vectors)
    assert sum(name >= "20" for name in sent(PpalSampling(), pool, 10)) == 1
    assert sum(name >= "20" for name in sent(PpalSampling(most_empty=0.5), pool, 10)) == 5
    assert len(sent(PpalSampling(), pool, 30)) == 30
    paper = PpalSampling(include_undetected=False)
    assert sorted(sent(paper, pool, 30)) == [f"{i:02d}" for i in range(20)]
