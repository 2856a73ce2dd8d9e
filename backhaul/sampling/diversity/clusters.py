"""k-means in NumPy."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array, IntArray
from backhaul.sampling.diversity.distances import squared_distances

_MOST_PASSES = 20
_BLOCK_VALUES = 1 << 22  # of a table of distances: 16 MiB


def k_means(vectors: Float32Array, n_clusters: int, rng: np.random.Generator) -> IntArray:
    """Return the cluster of each vector (Lloyd, 1982), in [0, n_clusters), shape (n,).

    Starts from random vectors; some clusters may stay empty where vectors are equal.

    Args:
        vectors: Shape (n, d), n >= 1.
        n_clusters: How many clusters, in [1, n].
        rng: Draws where it starts.
    """
    centers = vectors[np.sort(rng.choice(len(vectors), n_clusters, replace=False))]
    cluster = _nearest_center(vectors, centers)
    for _ in range(_MOST_PASSES):
        centers = _means(vectors, cluster, centers)
        moved = _nearest_center(vectors, centers)
        if np.array_equal(moved, cluster):
            break
        cluster = moved
    return cluster


def _nearest_center(vectors: Float32Array, centers: Float32Array) -> IntArray:
    step = max(1, _BLOCK_VALUES // len(centers))
    parts = [
        np.argmin(squared_distances(vectors[start : start + step], centers), axis=1)
        for start in range(0, len(vectors), step)
    ]
    return np.concatenate(parts)


def _means(vectors: Float32Array, cluster: IntArray, centers: Float32Array) -> Float32Array:
    """Return the means of the clusters; an empty one keeps its center."""
    order = np.argsort(cluster, kind="stable")
    starts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    means = centers.copy()
    sums = np.add.reduceat(vectors[order], starts, axis=0)
    means[cluster[order[starts]]] = sums / sizes[:, None].astype(np.float32)
    return means
