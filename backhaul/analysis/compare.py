"""One metric of every method, batch after batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from backhaul.analysis.results import (
    COMMON,
    by_batch,
    check_metric,
    choose_methods,
    initial_value,
    measured,
)
from backhaul.campaign.finding import Chart, Finding, Series, cells, name_of, values
from backhaul.campaign.run import Run

Aggregate = Literal["mean", "median"]


def compare(
    run: Run,
    metric: str = "mAP50",
    test_set: str = COMMON,
    *,
    over_initial: bool = False,
    methods: Sequence[str] = (),
    aggregate: Aggregate | None = None,
) -> Finding:
    """Compare the methods of a run by one metric.

    Args:
        run: The run.
        metric: One of `backhaul.analysis.results.METRICS`.
        test_set: Where it was measured.
        over_initial: Give differences to the initial model, and its own value as ``init``.
        methods: Methods to keep; empty = all.
        aggregate: Adds this over the batches that a method has.

    Returns:
        A row a method, a column ``batch<b>`` a batch; None where a method has no such batch.

    Raises:
        InputError: If the metric, the test set or a method is not there.
    """
    check_metric(metric)
    rows = measured(run, test_set)
    start = initial_value(rows, metric)
    by_method = by_batch(rows, metric).reindex(choose_methods(run, methods))
    if over_initial:
        by_method = by_method - start
    by_method.columns = [f"batch{batch}" for batch in by_method.columns]
    table = by_method.copy()
    if over_initial:
        table.insert(0, "init", start)
    if aggregate is not None:
        table[aggregate] = by_method.agg(aggregate, axis=1)
    table = table.rename_axis("method").reset_index()
    of = f"gain of {metric} over the initial model" if over_initial else metric
    return Finding(
        name=name_of(
            f"compare_{metric.lower()}",
            None if test_set == COMMON else test_set,
            "over_init" if over_initial else None,
            "+".join(methods),
            aggregate,
        ),
        title=f"{of} on {test_set}, by method and batch",
        note=_note(by_method, start, metric),
        columns=tuple(table.columns),
        rows=cells(table),
        charts=_charts(by_method, table, of, 0.0 if over_initial else start, aggregate),
    )


def _note(by_method: pd.DataFrame, start: float, metric: str) -> str:
    lead = f"The initial model has {metric} {start:.4g}." if not math.isnan(start) else ""
    short = [str(label) for label, row in by_method.iterrows() if row.isna().any()]
    missing = f" Without a value for some batches: {', '.join(short)}." if short else ""
    return f"{lead}{missing}".strip()


def _charts(
    by_method: pd.DataFrame,
    table: pd.DataFrame,
    of: str,
    start: float,
    aggregate: Aggregate | None,
) -> tuple[Chart, ...]:
    x = ("init", *by_method.columns)
    lines = [
        Series(name=str(label), x=x, y=values([start, *row]))
        for label, row in zip(by_method.index, by_method.to_numpy(), strict=True)
    ]
    chart = Chart(title=f"{of} after each batch", x_title="", y_title=of, series=tuple(lines))
    if aggregate is None:
        return (chart,)
    bars = Series(
        name=aggregate,
        x=tuple(table["method"]),
        y=values(table[aggregate]),
        kind="bars",
    )
    title = f"{aggregate} over batches"
    return (chart, Chart(title=title, x_title="", y_title=of, series=(bars,)))
