"""Distances between many vectors."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array, IntArray

_BLOCK_VALUES = 1 << 22  # of a table of distances: 16 MiB


def closest(vectors: Float32Array, others: Float32Array) -> IntArray:
    """Return the row of the closest of m others to each vector, shape (n,).

    Of equally close ones it is the first.

    Args:
        vectors: Shape (n, d).
        others: Shape (m, d), m >= 1.
    """
    middle = others.mean(axis=0)  # what is short loses fewer digits
    centred = others - middle
    squares = np.einsum("ij,ij->i", centred, centred)
    found = np.empty(len(vectors), dtype=np.int64)
    step = max(1, _BLOCK_VALUES // len(others))
    for start in range(0, len(vectors), step):
        table = (vectors[start : start + step] - middle) @ centred.T
        table *= -2
        table += squares
        found[start : start + step] = np.argmin(table, axis=1)
    return found


def nearest(vectors: Float32Array, others: Float32Array) -> Float32Array:
    """Return the squared distance of each vector to the closest of m others, shape (n,).

    Args:
        vectors: Shape (n, d).
        others: Shape (m, d); without any, distances are infinite.
    """
    apart = np.full(len(vectors), np.inf, np.float32)
    if len(others):
        away = vectors - others[closest(vectors, others)]  # exactly 0 for equal vectors
        np.einsum("ij,ij->i", away, away, out=apart)
    return apart


def squared_distances(vectors: Float32Array, others: Float32Array) -> Float32Array:
    """Return the squared distance of each of n vectors to each of m others, shape (n, m)."""
    middle = others.mean(axis=0) if len(others) else np.float32(0)
    one, other = vectors - middle, others - middle
    squares = np.einsum("ij,ij->i", one, one)[:, None] + np.einsum("ij,ij->i", other, other)
    apart: Float32Array = np.maximum(squares - 2 * (one @ other.T), 0)
    return apart
