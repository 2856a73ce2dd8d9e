"""A choice of images that grows until the bandwidth is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from backhaul.arrays import BoolArray, Float32Array, FloatArray, IntArray
from backhaul.sampling.diversity.centers import k_center
from backhaul.sampling.spending import affordable


class Cap(NamedTuple):
    """What images of some kind may cost.

    Args:
        of: Which images of the pool are of that kind, shape (n,).
        most: Most images and most bytes of that kind, >= 0, infinite for no limit, shape (2,).
    """

    of: BoolArray
    most: FloatArray


class Choice:
    """Images chosen of a pool, and the bandwidth that is left.

    Args:
        vectors: Vectors of the pool's images, shape (n, d).
        known: Vectors of what was sent before, shape (m, d).
        size_bytes: What sending each image costs, shape (n,).
        limits: Most images and most bytes, infinite for no limit, shape (2,).
    """

    def __init__(
        self,
        vectors: Float32Array,
        known: Float32Array,
        size_bytes: IntArray,
        limits: FloatArray,
    ) -> None:
        self.cost = np.column_stack([np.ones(len(vectors)), size_bytes])
        self.left = limits
        self.rows: list[int] = []
        self.reasons: list[str] = []
        self._vectors, self._known = vectors, known
        self._open = np.ones(len(vectors), dtype=bool)

    def open(self, rows: IntArray) -> IntArray:
        """Return those of `rows` that were not chosen and still fit."""
        fits = np.all(self.cost[rows] <= self.left, axis=1)
        return np.asarray(rows[self._open[rows] & fits])

    def take(self, rows: IntArray, reason: str) -> None:
        """Choose images in this order, passing over what does not fit."""
        rows = self.open(rows)
        rows = rows[affordable(self.cost[rows], self.left)]
        self._add(rows, [reason] * len(rows))

    def spread(
        self, rows: IntArray, reason: Callable[[float], str], cap: Cap | None = None
    ) -> None:
        """Choose images by k-center: far from each other, and from all chosen or sent before.

        Args:
            rows: Candidates.
            reason: Says why, given how far an image is from those before it.
            cap: What some of them may cost.
        """
        rows = self.open(rows)
        if not rows.size:
            return
        cost, limits = self.cost[rows], self.left
        if cap is not None:
            cost = np.hstack([cost, cost * cap.of[rows, None]])
            limits = np.concatenate([limits, cap.most])
        known = np.concatenate([self._known, self._vectors[self.rows]])
        centers = k_center(self._vectors[rows], known, cost, limits)
        self._add(rows[centers.rows], map(reason, centers.distance.tolist()))

    def _add(self, rows: IntArray, reasons: Iterable[str]) -> None:
        self.left = self.left - self.cost[rows].sum(axis=0)
        self._open[rows] = False
        self.rows += rows.tolist()
        self.reasons += reasons
