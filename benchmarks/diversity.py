"""Choosing images that differ against a plain NumPy k-center, and against Lightly's.

The plain k-center is what people publish: distances of all vectors to the newest choice by
`numpy.linalg.norm`, and the minimum with those so far. It makes a table of differences for each
choice, which is written to memory and read again; ours reads the vectors once. Mundig, by
Lightly in Rust, chooses the same images after the same first one; it takes lists, and makes
arrays of them, which is part of its time.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from lightly_mundig import Selection

from backhaul.arrays import Float32Array, FloatArray
from backhaul.sampling.diversity.centers import k_center
from benchmarks.measure import Row, compare

VECTORS, LENGTH, BUDGET = 50_000, 256, 500
LIMIT = "memory: each choice reads all vectors once"
REPEATS = 1


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the vectors and the budget."""
    n, budget = max(100, round(VECTORS * scale)), max(5, round(BUDGET * scale))
    vectors = rng.normal(size=(n, LENGTH)).astype(np.float32)
    cost = np.column_stack([np.ones(n), rng.integers(20_000, 200_000, n)])
    times = compare(
        partial(_choose, vectors, cost, budget), partial(_plainly, vectors, budget), REPEATS
    )
    name = f"k-center, {budget} of {n:,} vectors of {LENGTH}"
    lists = vectors.tolist()
    mundig = compare(
        partial(_choose, vectors, cost, budget), partial(_by_mundig, lists, budget), REPEATS
    )
    return [
        Row(name, *times, "plain NumPy k-center", LIMIT),
        Row(name, *mundig, "Lightly's Mundig, in Rust", LIMIT),
    ]


def _choose(vectors: Float32Array, cost: FloatArray, budget: int) -> list[int]:
    limits = np.array([budget, np.inf])
    return [*k_center(vectors, vectors[:0], cost, limits).rows.tolist()]


def _by_mundig(vectors: list[list[float]], budget: int) -> list[int]:
    selection = Selection()
    selection.add_diversifying_strategy(vectors, 1.0)
    rows: list[int] = selection.run_selection([], len(vectors), budget)
    return rows


def _plainly(vectors: Float32Array, budget: int) -> list[int]:
    first = int(np.argmin(np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)))
    chosen = [first]
    apart = np.linalg.norm(vectors - vectors[first], axis=1)
    while len(chosen) < budget:
        chosen.append(int(np.argmax(apart)))
        newest = np.linalg.norm(vectors - vectors[chosen[-1]], axis=1)
        apart = np.minimum(apart, newest)
    return chosen
