"""Tables and charts of evaluated checkpoints over epochs or batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from backhaul.analysis.forgetting import forgetting_finding
from backhaul.analysis.series import (
    NEXT_BATCH,
    BatchesPlan,
    ForgettingPlan,
    Played,
    Schedule,
    SeriesPlan,
    with_their_past,
)
from backhaul.campaign.finding import Chart, Finding, Mark, Series, cells, values
from backhaul.layout import INITIAL
from backhaul.measure.names import METRICS

COLUMNS = ("method", "batch", "epoch", "test_set", "mode", *METRICS)
"""Columns of the table of points, see `backhaul.measure.metrics.metrics`."""

MEANINGS = {
    "instant": "one checkpoint a point",
    "avg": "the mean of {} checkpoints, equally spaced over all epochs so far",
    "roll": "the mean of the last {} checkpoints",
}

SETS = {
    "common": "the initial test set and all held-out batches",
    "init": "the initial test set",
    "sample": "all batches that were sampled, with the images that were trained on",
    "cur_iter": "the test split of what the method sent of the batch (before: init)",
    "all_iter": "the test splits of all that the method sent so far",
    "all": "init and all_iter",
}


def finding_of(
    table: pd.DataFrame,
    plan: SeriesPlan | BatchesPlan | ForgettingPlan,
    rounds: Sequence[Played],
    schedule: Schedule,
) -> Finding:
    """Return the finding for a table of evaluated checkpoints.

    Args:
        table: Columns ``COLUMNS`` and ``class``, a row a point, test set and class, whose class
            is empty for all together; ``batch`` is nullable. The rows of classes are left out.
        plan: What was measured.
        rounds: The rounds that it was measured on.
        schedule: What arrives in the campaign.
    """
    overall = table.loc[table["class"] == "", list(COLUMNS)]
    if isinstance(plan, SeriesPlan):
        return _series(overall, plan, rounds, schedule)
    if isinstance(plan, ForgettingPlan):
        return forgetting_finding(overall, plan)
    return _batches(overall, plan, schedule)


def _series(
    table: pd.DataFrame, plan: SeriesPlan, rounds: Sequence[Played], schedule: Schedule
) -> Finding:
    """Follow the metrics of all checkpoints, epoch by epoch."""
    marks = _marks(rounds)
    charts = [
        Chart(
            title=f"{metric} on {test_set}",
            x_title="epoch",
            y_title=metric,
            series=_lines(rows, metric, lambda row: float(row.epoch)),
            marks=marks,
        )
        for test_set, rows in table.groupby("test_set", sort=False)
        for metric in plan.metrics
    ]
    meaning = MEANINGS[plan.mode.kind].format(plan.mode.count)
    sets = "".join(f" {name}: {SETS[name]}." for name in plan.sets if name in SETS)
    return Finding(
        name=plan.name,
        title=f"Metrics epoch by epoch: {meaning}",
        note=f"A dashed line marks where the training after a batch begins.{sets}"
        + (_tested(plan.batch_test, schedule) if "batch_test" in plan.sets else ""),
        columns=COLUMNS,
        rows=cells(table),
        charts=tuple(charts),
    )


def _batches(table: pd.DataFrame, plan: BatchesPlan, schedule: Schedule) -> Finding:
    """Show how the model that stands after each batch does on later ones."""
    (test_set,) = plan.sets
    charts = [
        Chart(
            title=f"{metric} on {test_set}, {mode}",
            x_title="",
            y_title=metric,
            series=_lines(rows, metric, _after),
        )
        for mode, rows in table.groupby("mode", sort=False)
        for metric in plan.metrics
    ]
    of_last = " After the last one it is the first that is held out." * bool(schedule.held_out)
    on = (
        f"the batch that comes next: other images after each batch.{of_last}"
        if test_set == NEXT_BATCH
        else f"the same images after each batch.{_tested(plan.batch_test or 0, schedule)}"
    )
    return Finding(
        name=plan.name,
        title=f"The model after each batch, on {test_set}",
        note=f"Measured on {on} instant is the last checkpoint alone, avg the ensemble.",
        columns=COLUMNS,
        rows=cells(table),
        charts=tuple(charts),
    )


def _tested(n_test: int, schedule: Schedule) -> str:
    """Return a sentence on the images of ``batch_test`` and the models trained on them."""
    first = schedule.first_tested(n_test)
    meaning = f" batch_test: the last {n_test} of all batches that arrive"
    if first >= schedule.n_batches:
        return f"{meaning}."
    return f"{meaning}; models trained after batch {first}, which was sampled, are left out."


def _after(row: Any) -> str:
    return INITIAL if pd.isna(row.batch) else f"batch{row.batch}"


def _lines(
    rows: pd.DataFrame, metric: str, place: Callable[[Any], float | str]
) -> tuple[Series, ...]:
    """Return a line a method; that of a method begins where the initial one ends."""
    first = rows[rows["method"] == INITIAL]
    lines = []
    for method, own in rows.groupby("method", sort=False):
        line = own if method == INITIAL else pd.concat([first.tail(1), own])
        x = tuple(place(row) for row in line.itertuples())
        lines.append(Series(name=str(method), x=x, y=values(line[metric])))
    return tuple(lines)


def _marks(rounds: Sequence[Played]) -> tuple[Mark, ...]:
    """Mark where retrainings begin; methods are named where they begin at different epochs."""
    starts: dict[tuple[int, int], list[str]] = {}
    for before, after in with_their_past(rounds):
        if before is not None and after.batch is not None and after.past != before.past:
            key = (after.batch, before.past[-1].epoch)
            starts.setdefault(key, []).append(after.method)
    n_methods = len({played.method for played in rounds} - {INITIAL})
    return tuple(
        Mark(
            x=epoch + 0.5,
            label=f"batch {batch}"
            + ("" if len(methods) == n_methods else f": {', '.join(methods)}"),
        )
        for (batch, epoch), methods in sorted(starts.items())
    )
