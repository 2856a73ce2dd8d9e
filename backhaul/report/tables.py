"""The numbers of the page: tables in, tables out, no files and no words.

A summary here is the rows of ``summary.csv`` of every seed, with the column ``seed``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray, IntArray
from backhaul.campaign.run import CONTROL, SampledBatch, TimingRow
from backhaul.layout import INITIAL
from backhaul.measure.names import OF_EXPLORED, OF_LINK, OF_NODES, RANKED, SENT
from backhaul.measure.statistics import Estimates, estimates

COMMON = "common"
OLD = "old_test"
HISTOGRAM_BINS = 20
INITIAL_BATCH = -1  # batches are numbered from 0
SHARED = "all methods"
COMPARED = (
    *("mAP50", "mAP50-95", "prec", "recall", "acc"),
    *("gain_init", "gain_control", "gain_random"),
    *SENT,
    *("mean_bytes_sent", "mean_bytes_pool", "epochs_trained", "batch"),
)
"""Columns of the comparison of methods."""
RATIO = "samples_transfer_ratio"
LINK_MEANS = ("last_arrival_s", "model_s", "round_s")
"""Of what went over the link, what differs from batch to batch and is no sum."""


def on(summary: pd.DataFrame, test_set: str = COMMON) -> pd.DataFrame:
    """Return the methods' rows on one test set; those of the initial model are left out."""
    rows = summary[(summary["test_set"] == test_set) & (summary["method"] != INITIAL)]
    rows = rows[rows["batch"].notna()]
    return rows.astype({"batch": int}).reset_index(drop=True)


def initial(summary: pd.DataFrame, test_set: str = COMMON) -> pd.DataFrame:
    """Return the rows of the initial model on a test set, by seed."""
    rows = summary[(summary["test_set"] == test_set) & (summary["method"] == INITIAL)]
    return rows.drop_duplicates("seed").set_index("seed")


def last_rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Return each method's rows on the common test set after its last batch.

    The last batch is the last of any seed: seeds that have not come there yet are left out.
    """
    rows = on(summary)
    last = rows.groupby("method")["batch"].transform("max")
    return rows[rows["batch"] == last].reset_index(drop=True)


def gains(summary: pd.DataFrame, *, random: str = "true-random") -> pd.DataFrame:
    """Return how much better the methods are after the last batch of each, seed by seed.

    A gain is a difference in mAP50 on the common test set: over the initial model, and over the
    control arm and the true-random arm after the same batch, all of the same seed. It is NaN
    where that arm has no such batch, or a mAP50 is null.

    Args:
        summary: Rows and columns of summary.csv, and the column seed.
        random: Label of the true-random arm.

    Returns:
        One row a method and seed (the control arm too, the initial model not): the columns of
        `summary`, and gain_init, gain_control and gain_random.
    """
    last, rows = last_rows(summary), on(summary)
    moments = pd.MultiIndex.from_frame(last[["seed", "batch"]])

    def over(arm: str) -> FloatArray:
        paired = rows[rows["method"] == arm].set_index(["seed", "batch"])["mAP50"]
        return np.asarray(last["mAP50"] - paired.reindex(moments).to_numpy(), dtype=float)

    return last.assign(
        gain_init=last["mAP50"] - last["seed"].map(initial(summary)["mAP50"]),
        gain_control=over(CONTROL),
        gain_random=over(random),
    )


def comparison(summary: pd.DataFrame, *, random: str = "true-random") -> Estimates:
    """Rank the methods by their mean mAP50 after the last batch of each, best first.

    Returns:
        Index: method; columns: `COMPARED`, with the gains of `gains`, paired by seed.
    """
    table = estimates(gains(summary, random=random), ["method"], COMPARED)
    ranks = table.mean["mAP50"].sort_values(ascending=False, kind="stable")
    return table.ordered(ranks.index)


def best_method(compared: Estimates) -> str | None:
    """Return the method with the greatest mean mAP50 of those that came furthest.

    The control arm does not compete, and neither does a method that stopped at an earlier batch
    or came to the last one with fewer seeds: it was trained for less, or less is known of it.
    None if no method has a mAP50.
    """
    mean = compared.mean.drop(index=CONTROL, errors="ignore")
    mean = mean[(mean["batch"] == mean["batch"].max()) & mean["mAP50"].notna()]
    n = compared.n.loc[mean.index, "mAP50"]
    mean = mean[n == n.max()]
    return str(mean.index[0]) if len(mean) else None


def curves(summary: pd.DataFrame) -> Estimates:
    """Return the learning curves on the common test set, as means over the seeds.

    Every method starts with the initial model at 0 images and bytes. The control arm sends
    nothing; its points stand at the mean of what the other methods had sent after that batch.

    Returns:
        Index: method, batch (-1 = initial), in order; columns: images_sent_total,
        bytes_sent_total and `RANKED`.
    """
    rows = on(summary).astype(dict.fromkeys(SENT, float))
    control = rows["method"] == CONTROL
    others = rows[~control].groupby(["seed", "batch"])[list(SENT)].mean()
    moments = pd.MultiIndex.from_frame(rows.loc[control, ["seed", "batch"]])
    rows.loc[control, list(SENT)] = others.reindex(moments).fillna(0.0).to_numpy()
    start = rows[["seed", "method"]].drop_duplicates()
    start = start.assign(batch=INITIAL_BATCH, **dict.fromkeys(SENT, 0.0))
    start = start.join(initial(summary)[list(RANKED)], on="seed")
    points = pd.concat([start, rows]).sort_values(["method", "batch"], ignore_index=True)
    return estimates(points, ["method", "batch"], [*SENT, *RANKED])


def forgetting(summary: pd.DataFrame) -> Estimates:
    """Return what became of the old test set, which belongs to the initial training.

    Returns:
        Index: method, batch, in order; columns: mAP50; change, that since the initial training,
        which is backward transfer on this set; forgotten, the loss since the best model before
        (`backhaul.measure.forgetting`).
    """
    rows = on(summary, OLD).sort_values(["method", "batch"], ignore_index=True)
    start = rows["seed"].map(initial(summary, OLD)["mAP50"])
    by_method = rows.groupby(["seed", "method"])["mAP50"]
    best = np.fmax(start, by_method.transform(_best_before))
    known = rows.assign(change=rows["mAP50"] - start, forgotten=best - rows["mAP50"])
    return estimates(known, ["method", "batch"], ["mAP50", "change", "forgotten"])


def _best_before(scores: pd.Series[float]) -> pd.Series[float]:
    return scores.cummax().ffill().shift()


def per_class(classes: pd.DataFrame) -> Estimates:
    """Return results per class on the common test set, after the last batch of each method.

    Returns:
        Index: class, method (``init`` = the initial model); columns: mAP50, n_truths.
    """
    rows = classes[classes["test_set"] == COMMON]
    batch = rows["batch"].fillna(0).astype(int)
    rows = rows[batch == batch.groupby(rows["method"]).transform("max")]
    rows = rows.drop_duplicates(["seed", "class", "method"])
    return estimates(rows, ["class", "method"], ["mAP50", "n_truths"])


def seen_by(rounds: Iterable[SampledBatch]) -> pd.DataFrame:
    """Return all detections in these rounds, with columns method, batch and sent."""
    parts = [
        r.seen.assign(method=r.method, batch=r.batch, sent=r.seen["file"].isin(r.sent))
        for r in rounds
        if len(r.seen)
    ]
    if not parts:
        columns = ["file", "detected", "actual", "hit", "conf", "method", "batch"]
        return pd.DataFrame(columns=columns).assign(sent=pd.Series(dtype=bool))
    return pd.concat(parts, ignore_index=True)


def over_link(summary: pd.DataFrame) -> Estimates:
    """Sum up what went over the link, over the batches of each method.

    Returns:
        Index: method; columns `OF_LINK`, sums but for those of `LINK_MEANS`, which are means.
        Without rows if the campaign has no link.
    """
    rows = on(summary)
    rows = rows[rows["wire_bytes"].notna()].astype(dict.fromkeys(OF_LINK, float))
    how = {name: "mean" if name in LINK_MEANS else "sum" for name in OF_LINK}
    sums = rows.groupby(["seed", "method"], as_index=False, sort=False).agg(how)
    return estimates(sums, ["method"], OF_LINK)


def by_nodes(summary: pd.DataFrame) -> Estimates:
    """Sum up what nodes told, over the batches of each method that goes by it.

    Returns:
        Index: method; columns `OF_NODES`, sums but for the drift, of which the last is shown;
        ``samples_transfer_ratio`` of the sums; and `OF_EXPLORED` of the last batch. Without
        rows if no method goes by what nodes chose.
    """
    names = [*OF_NODES, *OF_EXPLORED]
    rows = on(summary)
    rows = rows[rows[names].notna().any(axis=1)].astype(dict.fromkeys(names, float))
    last = {name for name in OF_NODES if name.startswith("psi_")} | {*OF_EXPLORED}
    how = {name: "last" if name in last else "sum" for name in names}
    sums = rows.sort_values("batch").groupby(["seed", "method"], as_index=False).agg(how)
    ratio = sums["frames_sent"] / sums["frames_seen"].where(sums["frames_seen"] > 0)
    return estimates(sums.assign(samples_transfer_ratio=ratio), ["method"], [*names, RATIO])


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


def stage_times(timings: Iterable[TimingRow]) -> pd.DataFrame:
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


def time_by_method(timings: Iterable[TimingRow]) -> pd.DataFrame:
    """Sum up the seconds of each stage that were computed, method by method.

    Returns:
        Index: stage, in the order stages first ran; columns: method, or ``all methods`` for
        what was done once for all of them (the initial training too).
    """
    rows = pd.DataFrame(
        [
            (t.stage, t.method if t.method not in (None, INITIAL) else SHARED, t.seconds)
            for t in timings
            if not t.cached
        ],
        columns=["stage", "method", "seconds"],
    )
    return rows.pivot_table(
        index="stage", columns="method", values="seconds", aggfunc="sum", sort=False
    ).fillna(0.0)
