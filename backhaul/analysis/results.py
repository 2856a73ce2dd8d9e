"""Metrics after each batch: rows of a run's summary, selected by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from backhaul.campaign.run import CONTROL, Run
from backhaul.errors import InputError
from backhaul.layout import INITIAL
from backhaul.measure.names import ENSEMBLE_SCORES, RANKED

COMMON = "common"
METRICS = (*RANKED, *ENSEMBLE_SCORES)
"""What methods can be compared by."""

Over = Literal["initial", "control", "previous"]
"""Baseline of a gain: the initial model, the control arm, or the batch before."""

By = Literal["method", "batch"]
"""What a point of a regression is: a method, or a method and batch."""


def check_metric(metric: str, known: Sequence[str] = METRICS) -> None:
    """Raise an `InputError` if there is no such metric."""
    if metric not in known:
        raise InputError(f"unknown metric {metric!r}: expected one of {', '.join(known)}")


def choose_methods(run: Run, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted methods in the order of the run; all if `wanted` is empty.

    Raises:
        InputError: If the run has no such method.
    """
    for label in wanted:
        if label not in run.labels:
            known = ", ".join(run.labels) or "none"
            raise InputError(f"{run.place}: no method {label!r}: it has {known}")
    return tuple(label for label in run.labels if not wanted or label in wanted)


def measured(run: Run, test_set: str) -> pd.DataFrame:
    """Return the rows of one test set, those of the initial model included.

    Raises:
        InputError: If nothing was measured on it.
    """
    rows = run.summary[run.summary["test_set"] == test_set]
    if rows.empty:
        known = ", ".join(run.summary["test_set"].dropna().unique()) or "none yet"
        raise InputError(f"{run.place}: no test set {test_set!r} in summary.csv: {known}")
    return rows.reset_index(drop=True)


def initial_value(rows: pd.DataFrame, metric: str) -> float:
    """Return the initial model's value among the rows of one test set, NaN without."""
    values = rows.loc[rows["method"] == INITIAL, metric]
    return float(values.iloc[0]) if len(values) else float("nan")


def by_batch(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a metric of the rows of one test set: methods by batches, NaN where missing."""
    played = rows[(rows["method"] != INITIAL) & rows["batch"].notna()].astype({"batch": int})
    return played.pivot_table(
        index="method", columns="batch", values=metric, aggfunc="last", dropna=False
    )


def gains(run: Run, metric: str, over: Over, test_set: str = COMMON) -> pd.DataFrame:
    """Return how much better a metric got with each method, batch after batch.

    Args:
        run: The run.
        metric: One of `METRICS`.
        over: ``initial``: the initial model; ``control``: the arm no-new-data after the same
            batch; ``previous``: the method itself a batch earlier (the initial model before
            the first).
        test_set: Where it was measured.

    Returns:
        Methods by batches, the control arm left out; NaN where either value is missing.

    Raises:
        InputError: If the metric, the test set or the control arm is not there.
    """
    check_metric(metric)
    rows = measured(run, test_set)
    values, start = by_batch(rows, metric), initial_value(rows, metric)
    match over:
        case "initial":
            gained = values - start
        case "control":
            if CONTROL not in values.index:
                raise InputError(f"{run.place}: no control arm {CONTROL} to compare with")
            gained = values - values.loc[CONTROL]
        case "previous":
            before = values.shift(axis=1)
            if len(values.columns):
                before[values.columns[0]] = start
            gained = values - before
    return gained.drop(index=CONTROL, errors="ignore")
