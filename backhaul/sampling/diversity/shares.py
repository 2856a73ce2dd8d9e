"""Parts of a pool: the best for a multiple of the budget, and a random share of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backhaul.arrays import Float32Array, FloatArray, IntArray
from backhaul.sampling.diversity.duplicates import distinct


class Shortlist(NamedTuple):
    """Candidates, and what is no candidate and why, as rows by falling preference."""

    candidates: IntArray
    duplicates: IntArray
    others: IntArray


def shortlist(rows: IntArray, cost: FloatArray, limits: FloatArray) -> Shortlist:
    """Return the first images that cost `limits`, at least one.

    Args:
        rows: Images by falling preference, shape (n,).
        cost: What each costs, in that order, > 0, shape (n, c).
        limits: What candidates may cost together, infinite for no limit, shape (c,).
    """
    n = _n_within(cost, limits)
    return Shortlist(rows[:n], rows[:0], rows[n:])


def distinct_shortlist(
    rows: IntArray,
    cost: FloatArray,
    limits: FloatArray,
    vectors: Float32Array,
    known: Float32Array,
    near: float,
) -> Shortlist:
    """Return the first images that cost `limits`, of near-duplicates the first alone.

    Args:
        rows: Images by falling preference, shape (n,).
        cost: What each costs, in that order, > 0, shape (n, c).
        limits: What candidates may cost together, infinite for no limit, shape (c,).
        vectors: Vectors of the images, in that order, shape (n, d).
        known: Vectors of images that candidates must differ from, too, shape (m, d).
        near: Distance up to which two are near-duplicates.
    """
    keeps = np.zeros(len(rows), dtype=bool)
    done = 0
    for block in distinct(vectors, known, near):
        keeps[done : done + len(block)] = block
        done += len(block)
        if np.any(cost[keeps].sum(axis=0) >= limits):
            break
    kept = rows[keeps]
    n = _n_within(cost[keeps], limits)
    duplicates = rows[:done][~keeps[:done]]
    return Shortlist(kept[:n], duplicates, np.concatenate([kept[n:], rows[done:]]))


def random_share(
    cost: FloatArray, limits: FloatArray, share: float, rng: np.random.Generator
) -> IntArray:
    """Return images drawn at random that are expected to cost a share of the limits.

    Args:
        cost: What each costs, > 0, shape (n, c).
        limits: The most that may be spent, infinite for no limit, shape (c,).
        share: The share, in [0, 1].
        rng: The only source of randomness.

    Returns:
        Rows in the order in which they were drawn.
    """
    fits = np.flatnonzero(np.all(cost <= limits, axis=1))
    if share == 0:
        return fits[:0]
    order = rng.permutation(fits)
    part = limits * share
    total = np.cumsum(cost[order], axis=0)
    n = int(np.count_nonzero(np.all(total <= part, axis=1)))
    if n < len(order) and np.all(total[n] <= limits):
        before = total[n] - cost[order[n]]
        n += int(rng.random() < np.min((part - before) / cost[order[n]]))
    return order[:n]


def part(limits: FloatArray, share: float) -> FloatArray:
    """Return a share of the limits; no limit stays none."""
    return np.multiply(limits, share, out=limits.copy(), where=np.isfinite(limits))


def _n_within(cost: FloatArray, limits: FloatArray) -> int:
    """Return how many of the first images cost no more than `limits`, at least one."""
    within = np.all(np.cumsum(cost, axis=0) <= limits, axis=1)
    return max(int(np.count_nonzero(within)), min(1, len(cost)))
