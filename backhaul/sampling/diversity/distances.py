"""Squared distances between many vectors."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array

_BLOCK_VALUES = 1 << 22  # of a table of distances: 16 MiB


def nearest(vectors: Float32Array, known: Float32Array) -> Float32Array:
    """Return the squared distance of each vector to the nearest known one, shape (n,).

    Args:
        vectors: Shape (n, d).
        known: Shape (m, d); without any, distances are infinite.
    """
    apart = np.full(len(vectors), np.inf, np.float32)
    if not len(known):
        return apart
    middle = known.mean(axis=0)  # near vectors lose fewer digits when they are short
    others = known - middle
    squares = np.einsum("ij,ij->i", others, others)
    step = max(1, _BLOCK_VALUES // len(known))
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step]
        closest = np.argmin(squares - 2 * ((part - middle) @ others.T), axis=1)
        away = part - known[closest]  # again, and exactly: equal vectors are 0 apart
        apart[start : start + step] = np.einsum("ij,ij->i", away, away)
    return apart


def squared_distances(vectors: Float32Array, others: Float32Array) -> Float32Array:
    """Return the squared distance of each of n vectors to each of m others, shape (n, m)."""
    middle = others.mean(axis=0) if len(others) else np.float32(0)
    one, other = vectors - middle, others - middle
    squares = np.einsum("ij,ij->i", one, one)[:, None] + np.einsum("ij,ij->i", other, other)
    apart: Float32Array = np.maximum(squares - 2 * (one @ other.T), 0)
    return apart
