"""Near-duplicates: of images that look the same, one is enough."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backhaul.arrays import BoolArray, Float32Array, IntArray
from backhaul.sampling.diversity.distances import nearest, squared_distances

NEAR = 0.15
"""Distance of descriptors within which images are near-duplicates.

`backhaul.look.copies.learn_nearness` finds .13 to .19 on four data sets (scenes of digits, road
signs, a parking lot, blood cells): at .15 nine of ten copies of each join.
"""

_BLOCK = 512


def distinct(vectors: Float32Array, known: Float32Array, near: float) -> Iterator[BoolArray]:
    """Yield which vectors are near none that is known, and near none that was kept before.

    They are judged in order, so of near-duplicates the first is kept; what lies near one that
    was left out is not left out for that. Block by block, so that whoever has enough can stop.

    Args:
        vectors: Vectors by falling preference, shape (n, d).
        known: What was sent before, shape (m, d).
        near: Distance up to which two are near-duplicates.

    Yields:
        Whether each vector of the next block is kept, n values in all.
    """
    kept = np.empty_like(vectors)
    n_kept = 0
    for start in range(0, len(vectors), _BLOCK):
        part = vectors[start : start + _BLOCK]
        before = np.minimum(nearest(part, known), nearest(part, kept[:n_kept]))
        keeps = _first_ones(squared_distances(part, part) <= near**2, before > near**2)
        kept[n_kept : n_kept + keeps.sum()] = part[keeps]
        n_kept += int(keeps.sum())
        yield keeps


def distinct_rows(vectors: Float32Array, known: Float32Array, near: float) -> IntArray:
    """Return the rows that `distinct` keeps, ascending."""
    every = [np.zeros(0, dtype=bool), *distinct(vectors, known, near)]
    return np.flatnonzero(np.concatenate(every))


def _first_ones(alike: BoolArray, candidates: BoolArray) -> BoolArray:
    """Return which candidates are alike no earlier one that was kept, shape (n,)."""
    keeps = candidates.copy()
    for row in np.flatnonzero(candidates):
        if keeps[row]:
            keeps[row + 1 :] &= ~alike[row, row + 1 :]
    return keeps
