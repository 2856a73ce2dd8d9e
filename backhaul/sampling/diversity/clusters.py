"""k-means in NumPy."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array, IntArray
from backhaul.sampling.diversity.distances import closest

_MOST_PASSES = 20
_SAMPLED = 50  # vectors a cluster, from which its center is found


def k_means(vectors: Float32Array, n_clusters: int, rng: np.random.Generator) -> IntArray:
    """Return the cluster of each vector (Lloyd, 1982), in [0, n_clusters), shape (n,).

    Starts from random vectors. Of more than 50 vectors a cluster, as many are drawn to find
    the centers; clusters may stay empty where vectors are equal.

    Args:
        vectors: Shape (n, d), n >= 1.
        n_clusters: How many clusters, in [1, n].
        rng: The only source of randomness.
    """
    sample = rng.permutation(len(vectors))[: _SAMPLED * n_clusters]
    sampled = vectors[np.sort(sample)]
    centers = vectors[np.sort(sample[:n_clusters])]
    cluster = closest(sampled, centers)
    for _ in range(_MOST_PASSES):
        centers = _means(sampled, cluster, centers)
        moved = closest(sampled, centers)
        if np.array_equal(moved, cluster):
            break
        cluster = moved
    return closest(vectors, centers)


def _means(vectors: Float32Array, cluster: IntArray, centers: Float32Array) -> Float32Array:
    """Return the means of the clusters; an empty one keeps its center."""
    order = np.argsort(cluster, kind="stable")
    starts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    means = centers.copy()
    sums = np.add.reduceat(vectors[order], starts, axis=0)
    means[cluster[order[starts]]] = sums / sizes[:, None].astype(np.float32)
    return means
