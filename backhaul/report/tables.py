"""The numbers of the page: tables in, tables out, no files and no words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from backhaul.rundata import CONTROL, INIT, Round, TimingRecord
from backhaul.types import IntArray

COMMON = "common"
OLD = "old_test"
HISTOGRAM_BINS = 20
INITIAL_BATCH = -1  # batches are numbered from 0


def on(summary: pd.DataFrame, test_set: str = COMMON) -> pd.DataFrame:
    """Return the methods' rows on one test set; those of the initial model are left out."""
    rows = summary[(summary["test_set"] == test_set) & (summary["method"] != INIT)]
    rows = rows[rows["batch"].notna()]
    return rows.astype({"batch": int}).reset_index(drop=True)


def initial(summary: pd.DataFrame, metric: str = "mAP50", test_set: str = COMMON) -> float:
    """Return the initial model's value on a test set, NaN if there is none."""
    rows = summary[(summary["test_set"] == test_set) & (summary["method"] == INIT)]
    return float(rows[metric].iloc[0]) if len(rows) else float("nan")


def last_rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Return each method's row on the common test set after its last batch."""
    rows = on(summary)
    last = rows.groupby("method")["batch"].transform("max")
    return rows[rows["batch"] == last].reset_index(drop=True)


def gains(summary: pd.DataFrame, *, random: str = "true-random") -> pd.DataFrame:
    """Rank the methods on the common test set after the last batch of each, best first.

    A gain is a difference in mAP50: over the initial model, and over the control arm and the
    true-random arm after the same batch. It is NaN where that arm has no such batch, or a mAP50
    is null.

    Args:
        summary: Rows and columns of summary.csv.
        random: Label of the true-random arm.

    Returns:
        One row a method (the control arm too, the initial model not), with columns method,
        images_sent_total, bytes_sent_total, mAP50, mAP50-95, gain_init, gain_control and
        gain_random.
    """
    last, rows = last_rows(summary), on(summary)

    def over(arm: str) -> pd.Series[float]:
        paired = rows[rows["method"] == arm].set_index("batch")["mAP50"]
        return last["mAP50"] - last["batch"].map(paired)

    table = last[
        ["method", "images_sent_total", "bytes_sent_total", "mAP50", "mAP50-95"]
    ].assign(
        gain_init=last["mAP50"] - initial(summary),
        gain_control=over(CONTROL),
        gain_random=over(random),
    )
    return table.sort_values("mAP50", ascending=False, kind="stable", ignore_index=True)


def best_method(summary: pd.DataFrame) -> str | None:
    """Return the method with the greatest mAP50 of those that came furthest.

    The control arm does not compete, and neither does a method that stopped at an earlier
    batch: it was trained for less. None if no method has a mAP50.
    """
    last = last_rows(summary)
    last = last[(last["method"] != CONTROL) & (last["batch"] == last["batch"].max())]
    last = last[last["mAP50"].notna()]
    return str(last.loc[last["mAP50"].idxmax(), "method"]) if len(last) else None


def curves(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the learning curves on the common test set.

    Every method starts with the initial model at 0 images and bytes. The control arm sends
    nothing; its points stand at the mean of what the other methods had sent after that batch.

    Returns:
        Columns method, batch (-1 = initial), images, bytes, value.
    """
    rows = (
        on(summary)
        .rename(
            columns={
                "images_sent_total": "images",
                "bytes_sent_total": "bytes",
                metric: "value",
            }
        )[["method", "batch", "images", "bytes", "value"]]
        .astype({"images": float, "bytes": float})
    )
    control = rows["method"] == CONTROL
    for unit in ("images", "bytes"):
        mean = rows[~control].groupby("batch")[unit].mean()
        rows.loc[control, unit] = rows.loc[control, "batch"].map(mean).fillna(0.0).astype(float)
    start = rows[["method"]].drop_duplicates()
    start = start.assign(
        batch=INITIAL_BATCH, images=0.0, bytes=0.0, value=initial(summary, metric)
    )
    return pd.concat([start, rows]).sort_values(["method", "batch"], ignore_index=True)


def forgetting(summary: pd.DataFrame, metric: str = "mAP50") -> pd.DataFrame:
    """Return the change on the old test set since the initial training: methods by batches."""
    rows = on(summary, OLD)
    change = rows.assign(change=rows[metric] - initial(summary, metric, OLD))
    return change.pivot_table(
        index="method", columns="batch", values="change", dropna=False, sort=True
    )


def per_class(
    classes: pd.DataFrame, class_names: Sequence[str], metric: str = "mAP50"
) -> pd.DataFrame:
    """Return a metric per class on the common test set, after the last batch of each method.

    Returns:
        Index: the classes in the order of `class_names`; columns: ``n_truths``, then ``init``
        and the methods that have rows.
    """
    rows = classes[classes["test_set"] == COMMON]
    batch = rows["batch"].fillna(0).astype(int)
    rows = rows[batch == batch.groupby(rows["method"]).transform("max")]
    table = rows.drop_duplicates(["class", "method"]).set_index(["class", "method"])[metric]
    wide = table.unstack("method").reindex(list(class_names))
    wide.insert(0, "n_truths", rows.groupby("class")["n_truths"].max())
    return wide


def seen_by(rounds: Iterable[Round]) -> pd.DataFrame:
    """Return what the ensemble saw in all these rounds, with columns method, batch and sent."""
    parts = [
        r.seen.assign(method=r.method, batch=r.batch, sent=r.seen["file"].isin(r.sent))
        for r in rounds
        if len(r.seen)
    ]
    if not parts:
        columns = ["file", "detected", "actual", "hit", "conf", "method", "batch"]
        return pd.DataFrame(columns=columns).assign(sent=pd.Series(dtype=bool))
    return pd.concat(parts, ignore_index=True)


def class_balance(seen: pd.DataFrame) -> pd.DataFrame:
    """Count the objects of each class in a method's pool and in what it sent.

    Objects are the true ones; where there is no truth, the predicted ones.

    Returns:
        Index: class; columns pool and sent (counts), pool_share and sent_share (in [0, 1], NaN
        of nothing).
    """
    name = seen["actual"] if seen["actual"].notna().any() else seen["detected"]
    table = pd.DataFrame(
        {"pool": name.value_counts(), "sent": name[seen["sent"]].value_counts()}, dtype=float
    ).fillna(0)
    table.index.name = "class"
    for column in ("pool", "sent"):
        total = table[column].sum()
        table[f"{column}_share"] = table[column] / total if total else np.nan
    return table


def confidence_counts(conf: pd.Series[float]) -> IntArray:
    """Return how many confidences fall into each of the equal bins of [0, 1], shape (20,)."""
    counts, _ = np.histogram(conf.dropna(), bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return counts.astype(np.int64)


def stage_times(timings: Iterable[TimingRecord]) -> pd.DataFrame:
    """Sum up the time of each stage, in the order stages first ran.

    Returns:
        Index: stage; columns computed, seconds (of the computed ones), cached, cached_seconds.
    """
    rows = pd.DataFrame(
        [(t.stage, t.seconds, t.cached) for t in timings],
        columns=["stage", "seconds", "cached"],
    ).astype({"seconds": float, "cached": bool})
    groups = {
        name: part.groupby("stage", sort=False)["seconds"]
        for name, part in (
            ("computed", rows[~rows["cached"]]),
            ("cached", rows[rows["cached"]]),
        )
    }
    return pd.DataFrame(
        {
            "computed": groups["computed"].size(),
            "seconds": groups["computed"].sum(),
            "cached": groups["cached"].size(),
            "cached_seconds": groups["cached"].sum(),
        },
        index=pd.Index(rows["stage"].unique(), name="stage"),
    ).fillna(0)
