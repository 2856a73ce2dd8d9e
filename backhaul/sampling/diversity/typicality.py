"""Typical images of every cluster, after TypiClust (Hacohen, Dekel and Weinshall, 2022)."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array, IntArray
from backhaul.sampling.diversity.clusters import k_means
from backhaul.sampling.diversity.distances import squared_distances

MOST_CLUSTERS = 500
MOST_NEIGHBOURS = 20

_MOST_COMPARED = 500  # members of a large cluster that stand for all of them
_BLOCK_VALUES = 1 << 22  # of a table of distances: 16 MiB


def typical_order(
    vectors: Float32Array,
    known: Float32Array,
    budget: int,
    *,
    least_size: int = 1,
    rng: np.random.Generator,
) -> IntArray:
    """Return rows in the order in which TypiClust would send them.

    All vectors, sent and not, form min(m + budget, 500) clusters. Clusters are visited in turn,
    those of which least was sent first, the larger ones before the smaller; each gives its most
    typical vector that is left. Unlike in the paper, how typical a vector is does not change
    when others of its cluster are taken.

    Args:
        vectors: Candidates, shape (n, d).
        known: What was sent before, shape (m, d).
        budget: About how many will be sent, >= 1.
        least_size: Smaller clusters come after all others; the paper leaves out those of 5 or
            fewer.
        rng: Draws where k-means starts.

    Returns:
        All n rows.
    """
    every = np.concatenate([known, vectors])
    if not len(vectors):
        return np.zeros(0, dtype=np.int64)
    n_clusters = min(len(known) + budget, MOST_CLUSTERS, len(every))
    cluster = k_means(every, n_clusters, rng)
    n_sent = np.bincount(cluster[: len(known)], minlength=n_clusters)
    size = np.bincount(cluster, minlength=n_clusters)
    rank = np.empty(n_clusters, dtype=np.int64)  # of the cluster, in the order of visits
    rank[np.lexsort((-size, n_sent))] = np.arange(n_clusters)
    own = cluster[len(known) :]
    turn = np.zeros(len(vectors), dtype=np.int64)
    for members in _groups(own):
        best_first = np.argsort(-typicality(vectors[members]), kind="stable")
        turn[members[best_first]] = np.arange(len(members))
    return np.lexsort((rank[own], turn, size[own] < least_size))


def typicality(members: Float32Array) -> Float32Array:
    """Return how typical each of n vectors is of all of them, shape (n,).

    That is the inverse of the mean distance to its min(20, n // 2) nearest neighbours, at least
    one; infinite for equal ones, 0 for a single vector. Of more than 500 vectors every k-th
    stands for all.

    Args:
        members: The vectors of one cluster, shape (n, d), n >= 1.
    """
    n = len(members)
    peers = np.arange(0, n, -(-n // _MOST_COMPARED))
    k = min(max(1, min(MOST_NEIGHBOURS, len(peers) // 2)), len(peers) - 1)
    if k < 1:
        return np.zeros(n, np.float32)
    mean = np.empty(n, np.float32)
    step = max(1, _BLOCK_VALUES // len(peers))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        apart = squared_distances(members[rows], members[peers])
        apart[rows[:, None] == peers] = np.inf  # itself
        mean[rows] = np.sqrt(np.partition(apart, k - 1, axis=1)[:, :k]).mean(axis=1)
    with np.errstate(divide="ignore"):
        return np.reciprocal(mean)


def _groups(cluster: IntArray) -> list[IntArray]:
    """Return the rows of each cluster that has any."""
    order = np.argsort(cluster, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1)
