"""Training curves by epoch, with the batches marked."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from backhaul.analysis.results import (
    COMMON,
    METRICS,
    check_metric,
    choose_methods,
    measured,
)
from backhaul.campaign.finding import Chart, Finding, Mark, Series, cells, name_of, values
from backhaul.campaign.run import Run
from backhaul.errors import InputError
from backhaul.layout import INITIAL

LOSS = "loss"
LOGGED = {
    "train_loss": "training loss",
    "valid_loss": "validation loss",
    "valid_mAP50": "mAP50 on validation images",
}
"""Columns of a training's log: known after every epoch."""
LOGS_OF = {LOSS: ("train_loss", "valid_loss"), "mAP50": ("valid_mAP50",)}
KEYS = ["method", "batch", "epoch"]
DEFAULT = (LOSS, "mAP50")


def curves(
    run: Run,
    metrics: Sequence[str] = DEFAULT,
    methods: Sequence[str] = (),
    test_set: str = COMMON,
) -> Finding:
    """Follow the trainings of a run, epoch by epoch.

    Args:
        run: The run.
        metrics: ``loss``, known after every epoch; ``mAP50``, known on the validation images
            after every epoch and on the test set after every round; other metrics, known on
            the test set at the epochs whose checkpoint was evaluated.
        methods: Methods to keep; empty = all. The initial training is always there.
        test_set: Where metrics were measured.

    Returns:
        A row a method, batch and epoch. Columns of the logs, then ``<test_set>_<metric>``.

    Raises:
        InputError: If a metric, a method or the test set is not there, or nothing was trained.
    """
    for metric in metrics:
        check_metric(metric, (LOSS, *METRICS))
    labels = (INITIAL, *choose_methods(run, methods))
    logged = [name for metric in metrics for name in LOGS_OF.get(metric, ())]
    evaluated = {f"{test_set}_{metric}": metric for metric in metrics if metric != LOSS}
    logs = _logs(run, labels)
    rounds = _rounds(run, labels, test_set, evaluated) if evaluated else logs[KEYS].iloc[:0]
    table = logs[[*KEYS, *logged]].merge(rounds, on=KEYS, how="outer")
    table = table.dropna(how="all", subset=[*logged, *evaluated])
    if table.empty:
        raise InputError(f"{run.place}: no training of these methods has been logged yet")
    order = table["method"].map({label: i for i, label in enumerate(labels)})
    table = table.assign(order=order).sort_values(
        ["order", "batch", "epoch"], na_position="first", ignore_index=True
    )
    marks = _marks(logs)
    charts = [_of_logs(table, name, LOGGED[name], marks) for name in logged]
    charts += [
        _of_rounds(table, name, f"{m} on {test_set}", marks) for name, m in evaluated.items()
    ]
    table = table.drop(columns="order")
    return Finding(
        name=name_of(
            "curves",
            None if tuple(metrics) == DEFAULT else "+".join(metrics),
            None if test_set == COMMON else test_set,
            "+".join(methods),
        ),
        title="Training, epoch by epoch",
        note="A dashed line marks where the training after a batch begins. Losses and the "
        "validation mAP50 are of the method's own validation images of that round; points on "
        f"{test_set} are of the checkpoint that the round ended with.",
        columns=tuple(table.columns),
        rows=cells(table),
        charts=tuple(charts),
    )


def _logs(run: Run, labels: Sequence[str]) -> pd.DataFrame:
    """Return the logs of all trainings of these methods; batch and epoch are nullable."""
    parts = [
        log.rename(columns={"mAP50": "valid_mAP50"}).assign(method=method, batch=batch)
        for (method, batch), log in run.losses.items()
        if method in labels
    ]
    columns = [*KEYS, *LOGGED]
    table = pd.concat([part[columns].astype(object) for part in parts]) if parts else None
    table = pd.DataFrame(columns=columns) if table is None else table
    kinds = {"batch": "Int64", "epoch": "Int64", **dict.fromkeys(LOGGED, "float64")}
    return table.astype({"method": "str", **kinds})


def _rounds(
    run: Run, labels: Sequence[str], test_set: str, evaluated: dict[str, str]
) -> pd.DataFrame:
    rows = measured(run, test_set)
    rows = rows[rows["method"].isin(labels)]
    columns = {name: rows[metric] for name, metric in evaluated.items()}
    table = rows[KEYS].assign(**columns)
    return table.astype({"method": "str", "batch": "Int64", "epoch": "Int64"})


def _marks(logs: pd.DataFrame) -> tuple[Mark, ...]:
    """Mark where retrainings begin; methods are named where they begin at different epochs."""
    later = logs[logs["batch"].notna()]
    starts = later.groupby(["method", "batch"], sort=False)["epoch"].min().reset_index()
    n_methods = starts["method"].nunique()
    marks = []
    for _, rows in starts.groupby(["batch", "epoch"]):
        batch, epoch = rows["batch"].iloc[0], float(rows["epoch"].iloc[0])
        names = "" if len(rows) == n_methods else f": {', '.join(rows['method'])}"
        marks.append(Mark(x=epoch - 0.5, label=f"batch {batch}{names}"))
    return tuple(marks)


def _of_logs(table: pd.DataFrame, name: str, title: str, marks: tuple[Mark, ...]) -> Chart:
    """Draw a line a method, with a gap between two trainings."""
    known = table[table[name].notna()]
    series = []
    for method, rows in known.groupby("method", sort=False):
        x: list[float] = []
        y: list[float | None] = []
        for _, training in rows.groupby("batch", dropna=False, sort=False):
            if x:
                x.append(x[-1])
                y.append(None)
            x += training["epoch"].astype(float).tolist()
            y += values(training[name])
        series.append(Series(name=str(method), x=tuple(x), y=tuple(y)))
    return Chart(title=title, x_title="epoch", y_title=title, series=tuple(series), marks=marks)


def _of_rounds(table: pd.DataFrame, name: str, title: str, marks: tuple[Mark, ...]) -> Chart:
    """Draw a line a method through the evaluated epochs, from the initial model on."""
    known = table[table[name].notna()]
    first = known[known["method"] == INITIAL]
    series = []
    for method, rows in known.groupby("method", sort=False):
        line = rows if method == INITIAL else pd.concat([first, rows])
        x = tuple(line["epoch"].astype(float))
        kind = "points" if method == INITIAL else "line"
        series.append(Series(name=str(method), x=x, y=values(line[name]), kind=kind))
    return Chart(title=title, x_title="epoch", y_title=title, series=tuple(series), marks=marks)
