"""A finding: the table and charts of an analysis, independent of how they are drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.layout import RunFiles
from backhaul.values.artifacts import Artifact

MOST_LETTERS = 120  # of the name of a file


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mark(_Value):
    """A vertical line across a chart, for example where a batch begins."""

    x: float
    label: str = ""


class Series(_Value):
    """One data series of a chart, an entry of its legend.

    Args:
        name: Name in the legend.
        x: Positions; words for bars of categories.
        y: Values; None leaves a gap.
        kind: How it is drawn.
        low: Lower edge of a band around `y`; empty = no band.
        high: Upper edge of the band.
        labels: Words at the points; empty = none.
    """

    name: str
    x: tuple[float | str, ...]
    y: tuple[float | None, ...]
    kind: Literal["line", "points", "bars"] = "line"
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    labels: tuple[str, ...] = ()


class Chart(_Value):
    """Series over one pair of axes."""

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()


class Finding(_Value):
    """One analysis of a run.

    Args:
        name: Stem of its files, see `name_of`.
        title: What it shows, in words.
        note: How to read it: what was measured on what.
        columns: Columns of the table.
        rows: Its rows; None for what is missing.
        charts: Charts of it.
    """

    name: str
    title: str
    note: str = ""
    columns: tuple[str, ...]
    rows: tuple[tuple[float | int | str | bool | None, ...], ...]
    charts: tuple[Chart, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """The table; a column without words is numeric."""
        return pd.DataFrame(list(self.rows), columns=list(self.columns))


def cells(table: pd.DataFrame) -> tuple[tuple[float | int | str | bool | None, ...], ...]:
    """Return the rows of `table` as plain values, with None for missing or non-finite ones."""
    plain = table.astype(object).where(table.notna(), None)
    return tuple(tuple(_plain(v) for v in row) for row in plain.itertuples(index=False))


def _plain(value: Any) -> float | int | str | bool | None:
    item = value.item() if hasattr(value, "item") else value
    if isinstance(item, float):
        return item if math.isfinite(item) else None
    return item if item is None or isinstance(item, str | bool | int) else str(item)


def values(numbers: Iterable[Any]) -> tuple[float | None, ...]:
    """Return numbers for a `Series`, with None for missing or non-finite ones."""
    floats = (None if pd.isna(number) else float(number) for number in numbers)
    return tuple(v if v is not None and math.isfinite(v) else None for v in floats)


def name_of(analysis: str, *choices: str | None) -> str:
    """Return the name of a finding: the analysis and its options that are not the default.

    Example:
        >>> name_of("compare_map50", None, "over_init", "iqr+true-random")
        'compare_map50_over_init_iqr+true-random'
    """
    words = [analysis, *(choice for choice in choices if choice)]
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", "_".join(words))[:MOST_LETTERS]


class StoredFinding(_Value):
    """A finding as it is stored with its run.

    Args:
        finding: The finding.
        tables: Further tables that belong to it, by the names of their files.
    """

    finding: Finding
    tables: dict[str, Artifact] = {}


FINDING = RecordType("finding", StoredFinding)


def read_findings(files: RunFiles) -> tuple[StoredFinding, ...]:
    """Return the findings of a run by name."""
    return tuple(FINDING.read_all(files.findings).values())
