"""Greedy k-center: choose images so that none is far from all chosen ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backhaul.arrays import Float32Array, FloatArray, IntArray
from backhaul.sampling.diversity.distances import nearest


class Centers(NamedTuple):
    """What greedy k-center chose.

    Args:
        rows: Rows of the vectors, in the order in which they were chosen, shape (k,).
        distance: How far each was from all known and chosen vectors when it was chosen;
            infinite for the first if nothing was known, shape (k,).
    """

    rows: IntArray
    distance: FloatArray


def k_center(
    vectors: Float32Array, known: Float32Array, cost: FloatArray, limits: FloatArray
) -> Centers:
    """Choose vectors until the limits are spent, each the farthest from all before it.

    The largest distance of any vector to its nearest chosen one is at most twice the least
    possible where all cost the same (Gonzalez, 1985; as active learning: Sener and Savarese,
    2018). What does not fit any more is passed over; when it ends, nothing else fits. The first
    one is the nearest to the mean if nothing is known. Of equally far vectors the first is
    taken. One pass over the vectors for each choice.

    Args:
        vectors: Candidates, shape (n, d).
        known: What was sent before, shape (m, d).
        cost: What each candidate costs, >= 0, shape (n, c).
        limits: The most that all together may cost, infinite for no limit, shape (c,).
    """
    centred = vectors - vectors.sum(axis=0) / np.float32(max(len(vectors), 1))
    squares = np.einsum("ij,ij->i", centred, centred)
    apart = nearest(vectors, known)
    rows: list[int] = []
    distance: list[float] = []
    left = limits.astype(np.float64)
    is_open = np.all(cost <= left, axis=1)
    while is_open.any():
        if rows or len(known):
            row = int(np.argmax(np.where(is_open, apart, -1)))
        else:
            row = int(np.argmin(np.where(is_open, squares, np.inf)))
        rows.append(row)
        distance.append(float(np.sqrt(apart[row])))
        left = left - cost[row]
        is_open[row] = False
        is_open &= np.all(cost <= left, axis=1)
        # Not by BLAS, whose last bits depend on the number of threads
        from_row = squares + squares[row] - 2 * np.einsum("ij,j->i", centred, centred[row])
        np.minimum(apart, np.maximum(from_row, 0), out=apart)
    return Centers(np.array(rows, dtype=np.int64), np.array(distance, dtype=np.float64))
