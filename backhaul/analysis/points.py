"""Tables of measured points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from backhaul.analysis.series import Point
from backhaul.measure.names import METRICS
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.results import Measured

KEYS = ["method", "batch", "epoch", "test_set", "mode"]


def points_table(points: Sequence[Point], measured: Sequence[Measured]) -> pd.DataFrame:
    """Return one row per point, test set and class; the row of all classes has an empty one."""
    tables = []
    for point, found in zip(points, measured, strict=True):
        table = read_value(pd.DataFrame, found.table)
        known = {"method": point.method, "batch": point.batch, "epoch": point.epoch}
        tables.append(table.assign(**known, mode=point.mode).astype({"batch": "Int64"}))
    return pd.concat(tables, ignore_index=True)[[*KEYS, "class", *METRICS]]


def further_tables(
    root: str,
    name: str,
    table: pd.DataFrame,
    points: Sequence[Point],
    measured: Sequence[Measured],
) -> Mapping[str, Artifact]:
    """Store the further tables of a finding on points: its rows by class, and all benchmarks.

    Args:
        root: Root of the store.
        name: Name of the finding.
        table: What `points_table` returns.
        points: The points.
        measured: Metrics and benchmarks of each point.

    Returns:
        The stored tables, by the names of their files.
    """
    by_class = table[table["class"] != ""].reset_index(drop=True)
    tables = {f"{name}_classes.csv": write_value(root, by_class)}
    for point, found in zip(points, measured, strict=True):
        for test_set, benchmark in found.benchmarks.items():
            tables[f"benchmarks/{point.benchmark(test_set)}"] = benchmark
    return tables
