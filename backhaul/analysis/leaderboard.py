"""How good the models of all methods became, against the share of images that they sent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from backhaul.analysis.results import METRICS, check_metric
from backhaul.arrays import FloatArray
from backhaul.campaign.finding import Chart, Finding, Series, cells, name_of, values
from backhaul.campaign.run import CONTROL, Run
from backhaul.errors import InputError
from backhaul.layout import INITIAL
from backhaul.measure.statistics import estimates

F1 = ("f1", "f1_mean")
"""Beside the metrics of a run: F1 over all classes together, and its mean over classes."""

RANKED_BY = (*F1, *METRICS)

KEYS = ["run", "method"]
GAIN = "over_baseline"


def leaderboard(
    campaigns: Mapping[str, Mapping[int, Run]],
    metric: str = "f1",
    test_set: str = "common",
    baseline: str = "true-random",
) -> Finding:
    """Rank the methods of campaigns by what their last model reaches.

    Beside it stands the transfer ratio, which is images sent / images of a batch, as its mean
    over the batches. A gain is over what the baseline of the same seed reaches with the same
    ratio: a straight line between the two measured ratios around it, of all campaigns and with
    the control arm at 0; never extrapolated. Intervals are 95 % t-intervals over seeds.

    Args:
        campaigns: By name, the runs by seed. A campaign is one setting: each ratio has its own.
        metric: One of `RANKED_BY`. F1 is 2 TP / (2 TP + FP + FN) of detections above
            ``evaluation.pos_thres``, of all classes together or as the mean over the classes
            that have a truth.
        test_set: Where it was measured.
        baseline: Label of the method with which the others are compared.

    Returns:
        A row a campaign and method, the best first: mean, ends of the interval (``_low``,
        ``_high``), number of seeds; ratio, bytes sent, and, where the baseline was measured
        on both sides of the ratio, the gain with its interval and number of seeds.

    Raises:
        InputError: If there is no such metric, or nothing was measured there yet.
    """
    check_metric(metric, RANKED_BY)
    parts = [_campaign(runs, metric, test_set).assign(run=n) for n, runs in campaigns.items()]
    points = pd.concat(parts, ignore_index=True)
    if points.empty:
        raise InputError(f"{', '.join(campaigns)}: nothing measured on {test_set!r} yet")
    points[GAIN] = _gains(points, baseline)
    table = _ranked(points, metric)
    return Finding(
        name=name_of(
            f"leaderboard_{metric.lower()}",
            None if test_set == "common" else test_set,
            f"{len(campaigns)}_runs" if len(campaigns) > 1 else None,
        ),
        title=f"{metric} on {test_set} after the last batch, against the transfer ratio",
        note=_note(points, baseline),
        columns=tuple(table.columns),
        rows=cells(table),
        charts=(_chart(table, metric, test_set),),
    )


def _campaign(runs: Mapping[int, Run], metric: str, test_set: str) -> pd.DataFrame:
    """Return what each method reached after the last batch, with its ratio, bytes and seed.

    A method that has not come so far with a seed, in a run that goes on, is left out of it.
    """
    parts = [_rounds(run, metric, test_set).assign(seed=seed) for seed, run in runs.items()]
    rounds = pd.concat(parts, ignore_index=True)
    by_method = rounds.groupby(["method", "seed"], sort=False)
    reached = by_method.agg(
        batch=("batch", "last"),
        value=("value", lambda values: values.iloc[-1]),  # "last" passes over NaN
        ratio=("samples_transfer_ratio", "mean"),
        bytes_sent=("bytes_sent_total", "last"),
    )
    whole: pd.DataFrame = reached[reached["batch"] == rounds["batch"].max()].reset_index()
    return whole


def _rounds(run: Run, metric: str, test_set: str) -> pd.DataFrame:
    """Return the rows of a run's rounds on a test set, by batch, with the ``value`` of each."""
    rows = run.summary[run.summary["test_set"] == test_set]
    rows = rows[(rows["method"] != INITIAL) & rows["batch"].notna()]
    return rows.assign(value=_values(run, rows, metric, test_set)).sort_values("batch")


def _values(run: Run, rows: pd.DataFrame, metric: str, test_set: str) -> pd.Series[float]:
    if metric == "f1":
        return _f1(rows)
    if metric != "f1_mean":
        return rows[metric].astype(float)
    classes = run.classes[(run.classes["test_set"] == test_set) & (run.classes["n_truths"] > 0)]
    by_round = classes.assign(f1=_f1(classes)).groupby(["method", "batch"])["f1"].mean()
    places = pd.MultiIndex.from_frame(rows[["method", "batch"]])
    return pd.Series(by_round.reindex(places).to_numpy(float), index=rows.index)


def _f1(rows: pd.DataFrame) -> pd.Series[float]:
    """Return F1 of precision and recall: 0 where nothing was detected, NaN without truth."""
    precision, recall = rows["prec"].fillna(0.0).astype(float), rows["recall"].astype(float)
    both = precision + recall
    return (2 * precision * recall / both.where(both > 0)).mask(both == 0, 0.0)


def _gains(points: pd.DataFrame, baseline: str) -> FloatArray:
    """Return by how much each point is over the baseline's of the same seed and ratio."""
    gains = np.full(len(points), np.nan)
    for _, of_seed in points.groupby("seed"):
        known = of_seed[of_seed["method"].isin([baseline, CONTROL])]
        line = known.groupby("ratio")["value"].mean()  # ascending
        others = of_seed[~of_seed.index.isin(known.index)]
        if len(line) and len(others):
            reached = np.interp(others["ratio"], line.index, line, left=np.nan, right=np.nan)
            gains[others.index] = others["value"].to_numpy() - reached
    return gains


def _ranked(points: pd.DataFrame, metric: str) -> pd.DataFrame:
    means, half_widths, n = estimates(
        points, KEYS, ["value", "ratio", "bytes_sent", GAIN]
    ).tables
    table = pd.DataFrame(
        {
            metric: means["value"],
            "low": means["value"] - half_widths["value"],
            "high": means["value"] + half_widths["value"],
            "seeds": n["value"],
            "ratio": means["ratio"],
            "bytes_sent": means["bytes_sent"].round(),
            GAIN: means[GAIN],
            "gain_low": means[GAIN] - half_widths[GAIN],
            "gain_high": means[GAIN] + half_widths[GAIN],
            "pairs": n[GAIN],
        }
    ).reset_index()
    return table.sort_values([metric, "ratio"], ascending=[False, True], ignore_index=True)


def _note(points: pd.DataFrame, baseline: str) -> str:
    if not (points["method"] == baseline).any():
        return f"Without {baseline} there is nothing to compare with (--baseline)."
    return (
        f"{GAIN}: seed by seed, over {baseline} with the same ratio, between the ratios "
        "that were measured. 95 % t-intervals over seeds."
    )


def _chart(table: pd.DataFrame, metric: str, test_set: str) -> Chart:
    series = []
    for label, rows in table.groupby("method", sort=False):
        ordered = rows.sort_values("ratio")
        bounded = ordered["low"].notna().all()
        series.append(
            Series(
                name=str(label),
                x=values(ordered["ratio"]),
                y=values(ordered[metric]),
                low=values(ordered["low"]) if bounded else (),
                high=values(ordered["high"]) if bounded else (),
            )
        )
    return Chart(
        title=f"{metric} by the share of images sent, 95 % intervals over seeds",
        x_title="transfer ratio (images sent / images of a batch)",
        y_title=f"{metric} on {test_set}",
        series=tuple(series),
    )
