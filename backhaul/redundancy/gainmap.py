"""How much choosing won over chance, by how much frames repeat and how many are empty.

A study measures it on streams that differ in these two alone. Between measured points the map
is bilinear, and so are the ends of its intervals; beyond them nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat

from backhaul.arrays import FloatArray
from backhaul.csvrows import read_rows
from backhaul.errors import InputError
from backhaul.settings import Probability
from backhaul.untrusted import MOST_BYTES

PLACE = Path(__file__).with_name("gainmap.csv")
"""The map that comes with the package; no file before its study was run."""
_FEWEST = 2  # rows, and columns, between which a value can lie


class Point(BaseModel):
    """What was measured on one kind of stream.

    Args:
        study: Name of the study.
        set: Name of the set.
        arm: Label of the arm that chose.
        level: Which points have streams that repeat alike: the longest burst, in frames.
        empty: Share of frames without objects.
        redundancy: Share of near-duplicates among the frames, mean over the seeds.
        gain: mAP50 of the arm over chance, mean over the seeds.
        low: Lower end of its 95 % t-interval.
        high: Upper end.
        seeds: How many seeds.
        rows: Digest of the rows of the study that it is from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    set: str
    arm: str
    level: int
    empty: Probability
    redundancy: Probability
    gain: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    seeds: int
    rows: str


@dataclass(frozen=True)
class Expected:
    """What choosing is expected to win over chance: mAP50, and its 95 % interval."""

    gain: float
    low: float
    high: float


class GainMap:
    """Measured points on a grid: each level of bursts at each share of empty frames.

    Args:
        points: The points, in any order.

    Raises:
        ValueError: If they are no grid, or a stream with longer bursts does not repeat more.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        by_place = {(point.level, point.empty): point for point in points}
        self.levels = sorted({point.level for point in points})
        self.empty = sorted({point.empty for point in points})
        whole = len(by_place) == len(points) == len(self.levels) * len(self.empty)
        if not whole or min(len(self.levels), len(self.empty)) < _FEWEST:
            raise ValueError("expected one point for each level at each share of empty frames")
        self.points = tuple(by_place[lv, share] for lv in self.levels for share in self.empty)
        self._redundancy = self._table("redundancy")
        if not np.all(np.diff(self._redundancy, axis=0) > 0):
            raise ValueError("redundancy: expected more of it at each higher level")

    def _table(self, name: str) -> FloatArray:
        values = np.array([getattr(point, name) for point in self.points], dtype=np.float64)
        return values.reshape(len(self.levels), len(self.empty))

    def within(self, empty: float) -> tuple[float, float]:
        """Return the least and greatest redundancy that was measured at a share of empties."""
        measured = self._at_empty(self._redundancy, empty)
        return float(measured[0]), float(measured[-1])

    def at(self, redundancy: float, empty: float) -> Expected | None:
        """Return what to expect of frames like these; None outside of what was measured.

        Args:
            redundancy: Share of near-duplicates, in [0, 1].
            empty: Share of frames without objects, in [0, 1].
        """
        low, high = self.within(empty)
        if not self.empty[0] <= empty <= self.empty[-1] or not low <= redundancy <= high:
            return None
        measured = self._at_empty(self._redundancy, empty)
        gain, least, most = (
            float(np.interp(redundancy, measured, self._at_empty(self._table(name), empty)))
            for name in ("gain", "low", "high")
        )
        return Expected(gain, least, most)

    def at_any_empty(self, redundancy: float) -> tuple[Expected, ...]:
        """Return what to expect at each measured share of empties where `redundancy` was."""
        every = [self.at(redundancy, empty) for empty in self.empty]
        return tuple(each for each in every if each is not None)

    def _at_empty(self, table: FloatArray, empty: float) -> FloatArray:
        """Return the values of each level at a share of empty frames, shape (n_levels,)."""
        return np.array([np.interp(empty, self.empty, row) for row in table])


def read_gain_map(place: Path = PLACE) -> GainMap | None:
    """Return the map in a CSV file; None if the package has none yet.

    Raises:
        InputError: If the file is no gain map, or is not there and not the package's.
    """
    if place == PLACE and not place.is_file():
        return None
    points = read_rows(place, Point, MOST_BYTES)
    try:
        return GainMap(points)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from None
