"""Functions that choose vectors that differ, against plain references."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from backhaul.arrays import BoolArray, Float32Array, FloatArray, IntArray
from backhaul.sampling.diversity import clusters, duplicates, typicality
from backhaul.sampling.diversity.centers import k_center
from backhaul.sampling.diversity.distances import nearest, squared_distances
from backhaul.sampling.diversity.duplicates import distinct_rows
from backhaul.sampling.diversity.shares import distinct_shortlist, random_share, shortlist
from backhaul.sampling.diversity.typicality import typical_order
from backhaul.sampling.diversity.typicality import typicality as typicality_of

SEEDS = st.integers(0, 2**16)
NO_LIMIT = np.array([np.inf, np.inf])


def drawn(seed: int, n: int, d: int = 3) -> Float32Array:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def costs(seed: int, n: int) -> FloatArray:
    return np.column_stack([np.ones(n), np.random.default_rng(seed).integers(1, 50, n)])


def plain_k_center(
    vectors: Float32Array, known: Float32Array, cost: FloatArray, limits: FloatArray
) -> list[int]:
    """Return what k-center chooses, with all distances computed anew for each choice."""
    points, before = vectors.astype(np.float64), list(known.astype(np.float64))
    chosen: list[int] = []
    left = limits
    while True:
        fitting = [i for i in range(len(points)) if i not in chosen and np.all(cost[i] <= left)]
        if not fitting:
            return chosen
        middle = cdist(points, points.mean(axis=0)[None])[:, 0]
        apart = cdist(points, before).min(axis=1) if before else -middle
        best = max(fitting, key=lambda i: float(apart[i]))
        chosen.append(best)
        before.append(points[best])
        left = left - cost[best]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(0, 25), st.integers(0, 4), st.integers(0, 30), st.integers(0, 400))
def test_k_center_chooses_what_a_plain_one_chooses(
    seed: int, n: int, n_known: int, images: int, n_bytes: int
) -> None:
    assume(n != 2 or n_known)  # two are equally near to their mean, up to the last bit
    vectors, known, cost = drawn(seed, n), drawn(seed + 1, n_known), costs(seed, n)
    limits = np.array([images, n_bytes], dtype=np.float64)
    centers = k_center(vectors, known, cost, limits)
    assert centers.rows.tolist() == plain_k_center(vectors, known, cost, limits)
    before = np.concatenate([known, vectors[centers.rows]]).astype(np.float64)
    for place, row in enumerate(centers.rows):
        apart = cdist(vectors[[row]], before[: n_known + place]).min(initial=np.inf)
        assert centers.distance[place] == pytest.approx(apart, abs=2e-3)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_k_center_covers_all_within_twice_the_least_radius(seed: int) -> None:
    vectors = drawn(seed, 9)
    limits = np.array([3, np.inf])
    rows = k_center(vectors, vectors[:0], costs(seed, 9), limits).rows
    apart = cdist(vectors, vectors)
    best = min(apart[:, trial].min(axis=1).max() for trial in combinations(range(9), 3))
    assert apart[:, rows].min(axis=1).max() <= 2 * best + 1e-4


def test_of_equal_vectors_k_center_takes_the_first_ones_and_all_that_fit() -> None:
    vectors = np.full((6, 3), 0.3, np.float32)
    centers = k_center(vectors, vectors[:1], costs(0, 6), np.array([4, np.inf]))
    assert centers.rows.tolist() == [0, 1, 2, 3]
    assert centers.distance == pytest.approx([0, 0, 0, 0], abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(0, 20), st.integers(0, 5))
def test_nearest_is_the_least_distance(seed: int, n: int, m: int) -> None:
    vectors, known = drawn(seed, n), drawn(seed + 1, m)
    expected = cdist(vectors, known, "sqeuclidean")
    np.testing.assert_allclose(
        nearest(vectors, known), expected.min(axis=1, initial=np.inf), 1e-4, 1e-5
    )
    np.testing.assert_allclose(squared_distances(vectors, known), expected, 1e-4, 1e-4)


def test_an_equal_vector_is_exactly_0_apart_wherever_it_lies() -> None:
    known = drawn(0, 50, 300) + np.float32(1000)
    np.testing.assert_array_equal(nearest(known[::-1], known), 0)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(0, 40), st.integers(0, 4), st.floats(0, 3))
def test_of_near_duplicates_the_first_is_kept(
    seed: int, n: int, n_known: int, near: float
) -> None:
    vectors, known = drawn(seed, n), drawn(seed + 1, n_known)
    expected: list[int] = []
    for row in range(n):
        before = [*known, *vectors[expected]]
        if not before or cdist(vectors[[row]], before).min() > near:
            expected.append(row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 7)
        assert distinct_rows(vectors, known, near).tolist() == expected


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(0, 30), st.floats(0, 2))
def test_a_shortlist_parts_all_images(seed: int, n: int, near: float) -> None:
    rng = np.random.default_rng(seed)
    rows, vectors, cost = rng.permutation(n), drawn(seed, n), costs(seed, n)
    limits = np.array([5, 100.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 4)
        parts = distinct_shortlist(rows, cost, limits, vectors, vectors[:0], near)
    every = np.concatenate(parts)
    assert sorted(every.tolist()) == list(range(n))
    kept = rows[distinct_rows(vectors, vectors[:0], near)]
    assert parts.candidates.tolist() == kept[: len(parts.candidates)].tolist()
    assert not set(parts.duplicates.tolist()) & set(kept.tolist())
    of_row = cost[np.argsort(rows)]
    if len(parts.candidates) > 1:
        assert np.all(of_row[parts.candidates].sum(axis=0) <= limits)
    if near == 0:
        plain = shortlist(rows, cost, limits)
        assert parts.candidates.tolist() == plain.candidates.tolist()


def test_a_random_share_costs_its_share_on_average() -> None:
    cost, limits = costs(0, 60), np.array([7, 200.0])
    rng = np.random.default_rng(0)
    spent = [cost[random_share(cost, limits, 0.3, rng)].sum(axis=0) for _ in range(400)]
    assert np.all(np.max(spent, axis=0) <= limits)
    share = np.mean(spent, axis=0) / limits  # bytes are the tighter limit here
    assert share.max() == pytest.approx(0.3, abs=0.03)
    assert len(random_share(cost, limits, 0.0, rng)) == 0


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 6))
def test_clusters_are_those_of_scikit_learn_from_the_same_start(seed: int, k: int) -> None:
    vectors = drawn(seed, 40)
    start = np.sort(np.random.default_rng(seed).permutation(40)[:k])
    theirs = KMeans(k, init=vectors[start], n_init=1, max_iter=20, tol=0).fit(vectors)
    ours = clusters.k_means(vectors, k, np.random.default_rng(seed))
    assert _scatter(vectors, ours) == pytest.approx(theirs.inertia_, rel=0.02)


def _scatter(vectors: Float32Array, cluster: IntArray) -> float:
    parts = [vectors[cluster == i] for i in np.unique(cluster)]
    return float(sum(((part - part.mean(axis=0)) ** 2).sum() for part in parts))


def test_more_clusters_than_different_vectors_leave_some_empty() -> None:
    vectors = np.repeat(drawn(0, 2), 5, axis=0)
    cluster = clusters.k_means(vectors, 6, np.random.default_rng(0))
    assert len(np.unique(cluster[:5])) == len(np.unique(cluster[5:])) == 1
    assert cluster[0] != cluster[5]


def typiclust(
    vectors: Float32Array, n_known: int, cluster: IntArray, least_size: int
) -> list[int]:
    """Return candidates in the order of the paper, visit by visit."""
    own = cluster[n_known:]
    visits = sorted(
        (i for i in np.unique(cluster) if (cluster == i).sum() >= least_size),
        key=lambda i: ((cluster[:n_known] == i).sum(), -(cluster == i).sum(), i),
    )
    queues = []
    for i in visits:
        members = np.flatnonzero(own == i)
        apart = np.sort(cdist(vectors[members], vectors[members]), axis=1)[:, 1:]
        k = max(1, min(20, len(members) // 2))
        far = apart[:, :k].mean(axis=1) if len(members) > 1 else np.zeros(len(members))
        queues.append([int(row) for row in members[np.argsort(far, kind="stable")]])
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


@pytest.mark.parametrize("least_size", [1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_typical_images_come_in_the_order_of_the_paper(
    monkeypatch: pytest.MonkeyPatch, seed: int, least_size: int
) -> None:
    rng = np.random.default_rng(seed)
    cluster = np.sort(rng.integers(0, 8, 60)) // rng.integers(1, 3)
    cluster = rng.permutation(np.concatenate([cluster, [9, 9, 10]]))
    monkeypatch.setattr(typicality, "k_means", lambda *args: cluster)
    vectors, known = drawn(seed, 50), drawn(seed + 1, 13)
    order = typical_order(vectors, known, 90, least_size=least_size, rng=rng)
    expected = typiclust(vectors, 13, cluster, least_size)
    assert order[: len(expected)].tolist() == expected
    assert sorted(order.tolist()) == list(range(50))


def test_typicality_is_the_inverse_of_the_mean_distance_to_neighbours() -> None:
    line = np.array([[0], [1], [3], [7], [7.5]], np.float32)
    expected = [1 / 2, 1 / 1.5, 1 / 2.5, 1 / 2.25, 1 / 2.5]
    assert typicality_of(line).tolist() == pytest.approx(expected)
    assert typicality_of(line[:1]).tolist() == [0]
    assert np.isinf(typicality_of(np.ones((3, 2), np.float32))).all()


def test_in_a_large_cluster_the_middle_is_typical() -> None:
    vectors = drawn(0, 1200, 2)
    best = typicality_of(vectors).argsort()[-50:]
    assert np.linalg.norm(vectors[best], axis=1).mean() < 0.75
    masks: BoolArray = np.isfinite(typicality_of(vectors))
    assert masks.all()
