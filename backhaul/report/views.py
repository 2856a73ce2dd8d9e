"""The tables of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from backhaul.campaign.run import SampledBatch
from backhaul.layout import INITIAL
from backhaul.measure.names import (
    KEYS,
    OF_EXPLORED,
    OF_LINK,
    OF_NODES,
    SUMMARY_NUMBERS,
)
from backhaul.measure.statistics import Estimates
from backhaul.report import tables
from backhaul.report.campaign import Campaign
from backhaul.report.cells import Cell, Table
from backhaul.report.wording import (
    NONE,
    count,
    duration,
    number,
    plus_minus,
    signed_plus_minus,
    size,
)

OPTIONAL = {*OF_LINK, *OF_NODES, *OF_EXPLORED}
"""Columns of a summary that most campaigns have not."""
GAINS = ("gain_init", "gain_control", "gain_random")
COUNTS = (
    "images_sent",
    "images_sent_total",
    "epochs_trained",
    "epoch",
    "n_images",
    "n_truths",
    "n_detections",
)


def methods_table(
    compared: Estimates, random: str, colours: Mapping[str, str], *, n_seeds: int
) -> Table:
    """Compare the methods after their last batch, on the common test set.

    Args:
        compared: What `backhaul.report.tables.comparison` returns.
        random: Label of the true-random arm.
        colours: Colour of each method.
        n_seeds: Seeds of the campaign; of several, the table says how many each row has.
    """
    certain: tuple[tuple[str, Callable[[float], str]], ...] = (
        ("prec", number),
        ("recall", number),
        ("acc", number),
        ("images_sent_total", count),
        ("bytes_sent_total", size),
        ("mean_bytes_sent", size),
        ("mean_bytes_pool", size),
        ("epochs_trained", count),
        ("batch", count),
    )
    rows = tuple(
        (
            _method(label, colours),
            *(Cell(plus_minus(*compared.at(label, name))) for name in ("mAP50", "mAP50-95")),
            *(Cell(signed_plus_minus(*compared.at(label, gain))) for gain in GAINS),
            *(Cell(write(compared.at(label, name)[0])) for name, write in certain),
            *([Cell(count(compared.n["mAP50"][label]))] if n_seeds > 1 else []),
        )
        for label in compared.mean.index
    )
    head = (
        "method",
        "mAP50",
        "mAP50-95",
        "gain over initial",
        "gain over no-new-data",
        f"gain over {random}",
        "precision",
        "recall",
        "accuracy",
        "images sent",
        "bytes sent",
        "mean size sent",
        "mean size pool",
        "epochs trained",
        "last batch",
        *(["seeds"] if n_seeds > 1 else []),
    )
    return Table(head, rows)


def summary_table(summary: pd.DataFrame) -> Table:
    """Show summary.csv whole, with the seeds if there are several."""
    several = summary["seed"].nunique() > 1
    shown = [n for n in SUMMARY_NUMBERS if n not in OPTIONAL or summary[n].notna().any()]
    rows = tuple(
        (
            Cell(str(row["method"]), words=True),
            *([Cell(str(row["seed"]))] if several else []),
            Cell(NONE if pd.isna(row["batch"]) else str(row["batch"])),
            Cell(str(row["test_set"]), words=True),
            *(Cell(_plain(name, row[name])) for name in shown),
        )
        for row in summary.to_dict("records")
    )
    method, *others = KEYS
    seed = ["seed"] if several else []
    return Table((method, *seed, *others, *shown), rows)


def _plain(name: str, value: float) -> str:
    if "bytes" in name or name in COUNTS:
        return count(value)
    return number(value)


def link_table(carried: Estimates, colours: Mapping[str, str]) -> Table:
    """Show what went over the link, method by method.

    Args:
        carried: What `backhaul.report.tables.over_link` returns.
        colours: Colour of each method.
    """
    columns: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("bytes on the wire", "wire_bytes", size),
        ("sent again", "resent_bytes", size),
        ("link busy", "link_busy_s", duration),
        ("last image arrived after", "last_arrival_s", duration),
        ("images late", "images_late", count),
        ("models down", "model_bytes", size),
        ("model arrived after", "model_s", duration),
        ("next batch after", "round_s", duration),
    )
    rows = tuple(
        (
            _method(label, colours),
            *(Cell(_or_none(write, carried.at(label, name)[0])) for _, name, write in columns),
        )
        for label in colours
        if label in carried.mean.index
    )
    return Table(("method", *(title for title, *_ in columns)), rows)


def nodes_table(told: Estimates, colours: Mapping[str, str]) -> Table:
    """Show what nodes told, and what frames say that chance drew, method by method.

    Args:
        told: What `backhaul.report.tables.by_nodes` returns.
        colours: Colour of each method.
    """
    columns: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("frames seen", "frames_seen", count),
        ("chosen", "frames_chosen", count),
        ("sent", "frames_sent", count),
        ("displaced", "frames_displaced", count),
        ("suppressed", "frames_suppressed", count),
        ("sent of seen", "samples_transfer_ratio", number),
        ("size of all seen", "frame_bytes_seen", size),
        ("size sent", "frame_bytes_sent", size),
        ("over the wire, up", "node_up_bytes", size),
        ("down", "node_down_bytes", size),
        ("drift, confidence", "psi_confidence", number),
        ("drift, classes", "psi_classes", number),
        ("recall, all frames", "explored_recall", number),
        ("±", "explored_recall_half_width", number),
        ("precision, all frames", "explored_prec", number),
        ("± ", "explored_prec_half_width", number),
    )
    rows = tuple(
        (
            _method(label, colours),
            *(Cell(_or_none(write, told.at(label, name)[0])) for _, name, write in columns),
        )
        for label in colours
        if label in told.mean.index
    )
    return Table(("method", *(title for title, *_ in columns)), rows)


def _or_none(write: Callable[[float], str], value: float) -> str:
    return write(value) if math.isfinite(value) else NONE


def forgetting_table(change: Estimates, colours: Mapping[str, str]) -> Table:
    """Show the change on the old test set after each batch, and where it stands at the end."""
    known = set(change.mean.index)
    batches = sorted({batch for _, batch in known})
    rows = tuple(
        (
            _method(label, colours),
            *(
                Cell(signed_plus_minus(*change.at((label, batch), "change")))
                if (label, batch) in known
                else Cell(NONE)
                for batch in batches
            ),
            *_at_the_end(change, label),
        )
        for label in colours
        if any(method == label for method, _ in known)
    )
    changes = (f"batch {batch}" for batch in batches)
    return Table(("method", *changes, "mAP50 now", "backward transfer", "forgetting"), rows)


def _at_the_end(change: Estimates, label: str) -> tuple[Cell, ...]:
    """Return mAP50 on the old test set after a method's last batch, and what that means."""
    last = (label, max(batch for method, batch in change.mean.index if method == label))
    return (
        Cell(plus_minus(*change.at(last, "mAP50"))),
        *(Cell(signed_plus_minus(*change.at(last, name))) for name in ("change", "forgotten")),
    )


def class_table(results: Estimates, class_names: Sequence[str], labels: Sequence[str]) -> Table:
    """Show mAP50 per class: the initial model, then the methods.

    Args:
        results: What `backhaul.report.tables.per_class` returns.
        class_names: Names of the classes.
        labels: Labels of the methods.
    """
    known = set(results.mean.index)
    truths = results.mean["n_truths"].groupby(level="class").max()
    shown = [
        label for label in (INITIAL, *labels) if any(method == label for _, method in known)
    ]

    def cell(name: str, label: str) -> Cell:
        if (name, label) not in known:
            return Cell(NONE)
        mean, half_width = results.at((name, label), "mAP50")
        return Cell(plus_minus(mean, half_width), heat=_finite(mean))

    rows = tuple(
        (
            Cell(name, words=True),
            Cell(count(truths[name])),
            *(cell(name, label) for label in shown),
        )
        for name in class_names
        if name in truths.index
    )
    return Table(("class", "objects", *shown), rows)


def balance_table(rounds: Sequence[SampledBatch], class_names: Sequence[str]) -> Table:
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
    rows = [
        (
            Cell(name, words=True),
            _share(widest, name, "pool"),
            *(_share(table, name, "sent") for table in balance.values()),
        )
        for name in class_names
        if name in widest.index
    ]
    return Table(("class", "pool", *balance), tuple(rows))


def _share(balance: pd.DataFrame, name: str, where: str) -> Cell:
    """Return a class's share of the objects in the pool or sent, and their number."""
    share = float(balance[f"{where}_share"].get(name, 0.0))
    return Cell(
        f"{100 * share:.0f} % ({balance[where].get(name, 0.0):,.0f})", heat=_finite(share)
    )


def trainings_table(campaign: Campaign, colours: Mapping[str, str]) -> Table:
    """Show every training: its epochs, why it stopped, and its images."""
    several = len(campaign.runs) > 1
    rows = tuple(
        (
            _method(t.method, colours),
            *([Cell(str(seed))] if several else []),
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
        for seed, run in zip(campaign.seeds, campaign.runs, strict=True)
        for t in run.trainings
    )
    head = (
        "method",
        *(["seed"] if several else []),
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


def proportions_table(campaign: Campaign, colours: Mapping[str, str]) -> Table:
    """Show the fractions of new images that were tried for each retraining, and the choice."""
    several = len(campaign.runs) > 1
    rows = tuple(
        (
            _method(p.method, colours),
            *([Cell(str(seed))] if several else []),
            Cell(NONE if p.batch is None else str(p.batch)),
            Cell(f"{p.retrain_new:g}"),
            *(Cell(NONE if s is None else number(s)) for s in (p.old, p.new, p.mean)),
            Cell("yes" if p.chosen else "", words=True),
        )
        for seed, run in zip(campaign.seeds, campaign.runs, strict=True)
        for p in run.proportions
    )
    seed = ["seed"] if several else []
    return Table(
        ("method", *seed, "batch", "retrain_new", "mAP50 old", "mAP50 new", "mean", "chosen"),
        rows,
    )


def timings_table(times: pd.DataFrame) -> Table:
    """Show how long each stage took, and how often it was read from the cache.

    Args:
        times: What `backhaul.report.tables.stage_times` returns.
    """
    rows = tuple(
        (
            Cell(str(stage), words=True),
            Cell(count(row["computed"])),
            Cell(duration(row["seconds"])),
            Cell(count(row["cached"])),
            Cell(duration(row["cached_seconds"])),
        )
        for stage, row in times.iterrows()
    )
    head = (
        "stage",
        "times computed",
        "time computing",
        "times from cache",
        "time reading cache",
    )
    return Table(head, rows)


def _method(label: str, colours: Mapping[str, str]) -> Cell:
    return Cell(label, words=True, colour=colours.get(label, ""))


def _finite(value: float) -> float | None:
    return round(min(max(value, 0.0), 1.0), 3) if math.isfinite(value) else None
