"""Tables of the page as cells of text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from backhaul.report import tables
from backhaul.report.wording import NONE, count, duration, number, plural, signed, size
from backhaul.rundata import INIT, KEYS, SUMMARY_NUMBERS, Round, Run, TrainingRecord

COUNTS = (
    "images_sent",
    "images_sent_total",
    "epochs_trained",
    "epoch",
    "n_images",
    "n_truths",
    "n_detections",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Args:
        text: What it says.
        words: Whether it is text, set to the left, and not a number.
        heat: Strength of its background in [0, 1], None for none.
        colour: Colour of the dot before it, empty for none.
    """

    text: str
    words: bool = False
    heat: float | None = None
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row is its heading."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def methods_table(run: Run, colours: Mapping[str, str]) -> Table:
    """Compare the methods after their last batch, on the common test set."""
    last = tables.last_rows(run.summary).set_index("method")
    ranked = tables.gains(run.summary, random=run.record.random_label)
    rows = []
    for gain in ranked.to_dict("records"):
        label, row = str(gain["method"]), last.loc[gain["method"]]
        numbers = [
            *(number(row[name]) for name in ("mAP50", "mAP50-95", "prec", "recall", "acc")),
            *(signed(gain[name]) for name in ("gain_init", "gain_control", "gain_random")),
            count(row["images_sent_total"]),
            size(row["bytes_sent_total"]),
            size(row["mean_bytes_sent"]),
            size(row["mean_bytes_pool"]),
            count(row["epochs_trained"]),
            count(row["batch"]),
        ]
        rows.append((_method(label, colours), *map(Cell, numbers)))
    head = (
        "method",
        "mAP50",
        "mAP50-95",
        "precision",
        "recall",
        "accuracy",
        "gain over initial",
        "gain over no-new-data",
        f"gain over {run.record.random_label}",
        "images sent",
        "bytes sent",
        "mean size sent",
        "mean size pool",
        "epochs trained",
        "last batch",
    )
    return Table(head, tuple(rows))


def summary_table(summary: pd.DataFrame) -> Table:
    """Show summary.csv whole."""
    rows = tuple(
        (
            Cell(str(row["method"]), words=True),
            Cell(NONE if pd.isna(row["batch"]) else str(row["batch"])),
            Cell(str(row["test_set"]), words=True),
            *(Cell(_plain(name, row[name])) for name in SUMMARY_NUMBERS),
        )
        for row in summary.to_dict("records")
    )
    return Table((*KEYS, *SUMMARY_NUMBERS), rows)


def _plain(name: str, value: float) -> str:
    if "bytes" in name or name in COUNTS:
        return count(value)
    return number(value)


def forgetting_table(summary: pd.DataFrame, colours: Mapping[str, str]) -> Table:
    """Show the change on the old test set after each batch."""
    change = tables.forgetting(summary)
    change = change.reindex([label for label in colours if label in change.index])
    head = ("method", *(f"batch {batch}" for batch in change.columns))
    rows = tuple(
        (_method(str(label), colours), *(Cell(signed(v)) for v in values))
        for label, values in zip(change.index, change.to_numpy(), strict=True)
    )
    return Table(head, rows)


def class_table(run: Run, labels: Sequence[str]) -> Table:
    """Show mAP50 per class: the initial model, then the methods."""
    values = tables.per_class(run.classes, run.record.class_names)
    shown = [label for label in (INIT, *labels) if label in values.columns]
    rows = tuple(
        (
            Cell(str(name), words=True),
            Cell(count(row["n_truths"])),
            *(Cell(number(row[label]), heat=_finite(row[label])) for label in shown),
        )
        for name, row in values.iterrows()
    )
    return Table(("class", "objects", *shown), rows)


def balance_table(rounds: Sequence[Round], class_names: Sequence[str]) -> Table:
    """Show each class's share of the objects in the pool and in what each method sent."""
    labels = list(dict.fromkeys(r.method for r in rounds))
    balance = {
        label: tables.class_balance(tables.seen_by(r for r in rounds if r.method == label))
        for label in labels
    }
    balance = {label: table for label, table in balance.items() if table["sent"].sum() > 0}
    if not balance:
        return Table(("class",), ())
    widest = max(balance.values(), key=lambda table: float(table["pool"].sum()))
    known = [name for name in class_names if name in widest.index]
    rows = [
        (
            Cell(name, words=True),
            _share(widest, name, "pool"),
            *(_share(table, name, "sent") for table in balance.values()),
        )
        for name in known
    ]
    return Table(("class", "pool", *balance), tuple(rows))


def _share(balance: pd.DataFrame, name: str, where: str) -> Cell:
    """Return a class's share of the objects in the pool or sent, and their number."""
    share = float(balance[f"{where}_share"].get(name, 0.0))
    return Cell(
        f"{100 * share:.0f} % ({balance[where].get(name, 0.0):,.0f})", heat=_finite(share)
    )


def trainings_table(trainings: Iterable[TrainingRecord], colours: Mapping[str, str]) -> Table:
    """Show every training: its epochs, why it stopped, and what it had."""
    rows = tuple(
        (
            _method(t.method, colours),
            Cell(NONE if t.batch is None else str(t.batch)),
            Cell(f"{t.first_epoch} to {t.last_epoch}"),
            Cell(count(t.epochs)),
            Cell(NONE if t.best_epoch is None else str(t.best_epoch)),
            Cell(t.stopped_because, words=True),
            Cell("yes" if t.resumed else "no", words=True),
            Cell(count(t.train_images)),
            Cell(count(t.valid_images)),
            Cell(duration(t.seconds)),
        )
        for t in trainings
    )
    head = (
        "method",
        "batch",
        "from to epoch",
        "epochs",
        "best epoch",
        "why it stopped",
        "resumed",
        "training images",
        "validation images",
        "time",
    )
    return Table(head, rows)


def timings_table(run: Run) -> Table:
    """Show how long each stage took, and how often it was read from the cache."""
    rows = tuple(
        (
            Cell(str(stage), words=True),
            Cell(count(row["computed"])),
            Cell(duration(row["seconds"])),
            Cell(count(row["cached"])),
            Cell(duration(row["cached_seconds"])),
        )
        for stage, row in tables.stage_times(run.record.timings).iterrows()
    )
    head = (
        "stage",
        "times computed",
        "time computing",
        "times from cache",
        "time reading cache",
    )
    return Table(head, rows)


def facts(run: Run) -> dict[str, str]:
    """Return where the run came from, as names and values."""
    record = run.record
    data = {name.replace("_", " "): count(n) for name, n in record.data.items()}
    dirty = " with uncommitted changes" if record.git.dirty else ""
    return {
        "started": record.started,
        "seed": str(record.config.get("seed", "unknown")),
        "commit": f"{record.git.commit}{dirty}" if record.git.commit else "unknown",
        "images": ", ".join(f"{name} {n}" for name, n in data.items()) or "unknown",
        "classes": plural(len(record.class_names), "class"),
        "versions": ", ".join(f"{name} {v}" for name, v in record.versions.items())
        or "unknown",
    }


def _method(label: str, colours: Mapping[str, str]) -> Cell:
    return Cell(label, words=True, colour=colours.get(label, ""))


def _finite(value: float) -> float | None:
    return round(min(max(value, 0.0), 1.0), 3) if math.isfinite(value) else None
