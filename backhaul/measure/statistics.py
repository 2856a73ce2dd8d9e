"""Means of repeated measurements, with confidence intervals."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimates:
    """Means of several columns over repetitions, with their intervals: three equal tables.

    Args:
        mean: The mean of the values that are there, NaN of none.
        half_width: Half the width of the 95 % t-interval around it, NaN below two values.
        n: Number of values.
    """

    mean: pd.DataFrame
    half_width: pd.DataFrame
    n: pd.DataFrame

    @property
    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Mean, half width and number."""
        return self.mean, self.half_width, self.n

    def at(self, row: Hashable, column: str) -> tuple[float, float]:
        """Return mean and half width of one group and column."""
        place: Any = (row, column)
        return float(self.mean.loc[place]), float(self.half_width.loc[place])

    def of(self, part: Any, level: str) -> Estimates:
        """Return the groups whose `level` is `part`, without that level."""
        keep = self.mean.index.get_level_values(level) == part
        return Estimates(*(table[keep].droplevel(level) for table in self.tables))

    def ordered(self, rows: pd.Index[Any]) -> Estimates:
        """Return these rows, in this order."""
        return Estimates(*(table.loc[rows] for table in self.tables))


def estimates(table: pd.DataFrame, by: Sequence[str], of: Sequence[str]) -> Estimates:
    """Estimate the mean of each column of `of` for each group of rows.

    The interval is mean ± t(0.975, n - 1) s / sqrt(n), with the sample standard deviation s of
    the group (Student 1908): it assumes that the values are independent and about normal.

    Args:
        table: One row a repetition of each group.
        by: Columns that name a group; they become the index, in the order groups first come.
        of: Columns of numbers, NaN where a value is missing.
    """
    groups = table.astype(dict.fromkeys(of, float)).groupby(list(by), sort=False)[list(of)]
    n = groups.count()
    quantile = stdtrit((n - 1).where(n > 1), (1 + CONFIDENCE) / 2)
    half_width = groups.std() * quantile / np.sqrt(n.where(n > 0))
    return Estimates(groups.mean(), half_width, n)
