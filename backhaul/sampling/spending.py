"""Spend the bandwidth on weighted candidates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.values.bandwidth import Bandwidth

FILLED = "filled what was left"
"""Why an image was drawn in whose turn nothing else fitted."""


@dataclass(frozen=True, slots=True)
class Strata:
    """A division of the candidates into strata, each with a share of the bandwidth.

    Args:
        of: Stratum of each candidate, in [0, n_strata), shape (n,).
        share: Proportions, >= 0, in any unit, shape (n_strata,). A stratum without candidates
            takes no part.
        most: Greatest fraction of the bandwidth a stratum is given, infinite for no cap, shape
            (n_strata,).
    """

    of: IntArray
    share: FloatArray
    most: FloatArray

    def take(self, rows: IntArray) -> Strata:
        """Return the same division of the candidates at `rows`."""
        return Strata(self.of[rows], self.share, self.most)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Images that may be sent, one row for each stratum in which an image can be drawn.

    Args:
        image: Which image, shape (n,).
        size_bytes: What sending it costs, > 0, shape (n,).
        weight: Positive and finite, shape (n,).
        levels: Divisions, the outer one first; with none, all candidates are drawn together.
    """

    image: IntArray
    size_bytes: IntArray
    weight: FloatArray
    levels: tuple[Strata, ...] = ()


@dataclass(frozen=True, slots=True)
class Draws:
    """Candidates in the order they were drawn.

    Args:
        rows: Rows of the candidates, no image twice, shape (n,).
        filled: Whether a row was drawn by the last pass instead of for its stratum, shape (n,).
    """

    rows: IntArray
    filled: BoolArray


def limits_of(bandwidth: Bandwidth) -> FloatArray:
    """Return the most images and the most bytes, infinite for no limit, shape (2,)."""
    limits = (bandwidth.images, bandwidth.bytes)
    return np.array([np.inf if limit is None else limit for limit in limits], dtype=np.float64)


def spend(candidates: Candidates, limits: FloatArray, *, rng: np.random.Generator) -> Draws:
    """Draw images until the bandwidth is spent.

    Draws are weighted and without replacement (Efraimidis and Spirakis, 2006). Each level's
    strata get their share of what remains for it, those that can use least of theirs first, so
    that what one cannot use goes to the others; the image on the edge of a share is drawn with
    the probability that makes the expected cost that share. A last pass over all candidates
    fills what is left. The limits are never exceeded, and no image that was left
    out would still fit.

    Args:
        candidates: Images with their weights and strata.
        limits: Most images and most bytes, infinite for no limit, shape (2,).
        rng: The only source of randomness.
    """
    uplink = _Uplink(candidates, limits.astype(np.float64), rng)
    with np.errstate(over="ignore"):  # a share may be next to nothing: infinitely usable
        uplink.spend(np.arange(candidates.image.size), uplink.left, candidates.levels)
    n_drawn = sum(rows.size for rows in uplink.drawn)
    uplink.fill()
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *uplink.drawn])
    return Draws(rows, np.arange(rows.size) >= n_drawn)


def fitting(size_bytes: IntArray, bandwidth: Bandwidth) -> IntArray:
    """Return which images are sent if each one in turn is sent that still fits, as rows.

    Args:
        size_bytes: What sending each costs, in the order of the turns, > 0, shape (n,).
        bandwidth: Most images, bytes, or both.
    """
    cost = np.column_stack([np.ones(len(size_bytes)), size_bytes])
    return affordable(cost, limits_of(bandwidth))


def affordable(cost: FloatArray, limits: FloatArray) -> IntArray:
    """Return the rows that are taken if each one in turn is taken that still fits.

    Of the others none would still fit.

    Args:
        cost: Images (1) and bytes of each row, > 0, shape (n, 2).
        limits: Most images and most bytes, infinite for no limit, shape (2,).
    """
    taken, rows = [], np.arange(len(cost))
    while rows.size:
        rows = rows[np.all(cost[rows] <= limits, axis=1)]
        n = _n_fitting(cost[rows], limits)
        taken.append(rows[:n])
        limits = limits - cost[rows[:n]].sum(axis=0)
        rows = rows[n:]
    return np.concatenate([np.zeros(0, dtype=np.int64), *taken])


@dataclass(slots=True)
class _Uplink:
    """The remaining bandwidth, and the images drawn so far; costs are in images and bytes."""

    candidates: Candidates
    left: FloatArray
    rng: np.random.Generator
    cost: FloatArray = field(init=False)
    taken: BoolArray = field(init=False)
    drawn: list[IntArray] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        image = self.candidates.image
        self.cost = np.column_stack([np.ones(image.size), self.candidates.size_bytes])
        self.taken = np.zeros(image.max(initial=-1) + 1, dtype=bool)

    def spend(
        self, rows: IntArray, budget: FloatArray, levels: tuple[Strata, ...]
    ) -> FloatArray:
        """Spend about `budget` on `rows` and return what was spent, shape (2,)."""
        spent = np.zeros(2)
        if not np.all(budget > 0):
            return spent
        if not levels:
            return self._draw(rows, budget)
        level, *inner = levels
        parts = _split(rows, level.of[rows])
        usable = np.array([np.max(self.cost[part].sum(axis=0) / budget) for part in parts])
        stratum = np.array([level.of[part[0]] for part in parts], dtype=np.int64)
        share, most = level.share[stratum], level.most[stratum]
        order = np.argsort(np.minimum(usable, most) / share, kind="stable")
        remaining = np.cumsum(share[order][::-1])[::-1]
        for i, whole in zip(order, remaining, strict=True):
            part_budget = np.minimum((budget - spent) * (share[i] / whole), budget * most[i])
            spent += self.spend(parts[i], part_budget, tuple(inner))
        return spent

    def fill(self) -> None:
        """Take whatever still fits, each image with the largest of its weights."""
        rows = self._open(np.arange(self.candidates.image.size))
        image = self.candidates.image[rows]
        rows = rows[np.lexsort((self.candidates.weight[rows], image))]
        rows = self._shuffle(rows[np.diff(self.candidates.image[rows], append=-1) != 0])
        self._take(rows[affordable(self.cost[rows], self.left)])

    def _draw(self, rows: IntArray, budget: FloatArray) -> FloatArray:
        rows = self._shuffle(self._open(rows))
        cost = self.cost[rows]
        n = _n_fitting(cost, budget)
        spent: FloatArray = cost[:n].sum(axis=0)
        if n < rows.size and np.all(spent + cost[n] <= self.left):
            chance = np.min((budget - spent) / cost[n])
            n += int(self.rng.random() < chance)
        self._take(rows[:n])
        return np.asarray(cost[:n].sum(axis=0))

    def _open(self, rows: IntArray) -> IntArray:
        """Return the rows whose image was not drawn and would still fit."""
        fits = np.all(self.cost[rows] <= self.left, axis=1)
        return np.asarray(rows[fits & ~self.taken[self.candidates.image[rows]]])

    def _shuffle(self, rows: IntArray) -> IntArray:
        """Return the rows in the order of a weighted draw without replacement.

        log(weight) plus a Gumbel variate sorts like the keys of Efraimidis and Spirakis and
        neither over- nor underflows.
        """
        keys = np.log(self.candidates.weight[rows]) + self.rng.gumbel(size=rows.size)
        return np.asarray(rows[np.argsort(-keys, kind="stable")])

    def _take(self, rows: IntArray) -> None:
        self.left = self.left - self.cost[rows].sum(axis=0)
        self.taken[self.candidates.image[rows]] = True
        self.drawn.append(rows)


def _n_fitting(cost: FloatArray, budget: FloatArray) -> int:
    """Return how many of the first rows fit together; costs are positive, shape (n, 2)."""
    return int(np.count_nonzero(np.all(np.cumsum(cost, axis=0) <= budget, axis=1)))


def _split(rows: IntArray, stratum: IntArray) -> list[IntArray]:
    """Return the rows of each stratum that has any, by ascending stratum."""
    order = np.argsort(stratum, kind="stable")
    starts = np.flatnonzero(np.diff(stratum[order])) + 1
    return np.split(rows[order], starts) if rows.size else []
