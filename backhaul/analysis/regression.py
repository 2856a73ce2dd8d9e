"""Regression of gains on features of the images that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from backhaul.analysis.results import COMMON, By, Over, gains
from backhaul.analysis.sample import MEANINGS, Feature, features
from backhaul.arrays import FloatArray
from backhaul.campaign.finding import Chart, Finding, Series, cells, name_of, values
from backhaul.campaign.run import Run
from backhaul.errors import InputError

FEWEST = 3  # with two points any line fits
LEVEL = 0.95
WORDS = {
    "initial": "over the initial model",
    "control": "over the control arm",
    "previous": "over the batch before",
}


@dataclass(frozen=True, slots=True)
class Fit:
    """A line through points by least squares.

    Args:
        n: Points.
        slope: Change of y for one unit of x.
        slope_low: Lower end of the 95 % interval of the slope (Student's t, n - 2 degrees).
        slope_high: Upper end.
        intercept: y at x = 0.
        r2: Share of the variance of y that the line explains, in [0, 1].
        p_value: Chance of such a slope if the true one is 0 (two-sided t test).
    """

    n: int
    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    r2: float
    p_value: float


def fit(x: FloatArray, y: FloatArray) -> Fit:
    """Return the line through points, shapes (n,), n >= 3.

    Raises:
        InputError: If there are fewer points, or all have the same x or the same y.
    """
    if len(x) < FEWEST:
        raise InputError(f"{len(x)} points, expected at least {FEWEST} for a regression")
    if np.ptp(x) == 0:
        raise InputError(f"the feature is {x[0]:g} at all {len(x)} points: expected it to vary")
    if np.ptp(y) == 0:
        raise InputError(f"the gain is {y[0]:g} at all {len(x)} points: expected it to vary")
    line = stats.linregress(x, y)
    reach = stats.t.ppf((1 + LEVEL) / 2, len(x) - 2) * line.stderr
    return Fit(
        n=len(x),
        slope=float(line.slope),
        slope_low=float(line.slope - reach),
        slope_high=float(line.slope + reach),
        intercept=float(line.intercept),
        r2=float(line.rvalue**2),
        p_value=float(line.pvalue),
    )


def points(
    run: Run, feature: Feature, over: Over, metric: str, test_set: str, by: By
) -> pd.DataFrame:
    """Return a feature of samples beside the gain that followed.

    Args:
        run: The run.
        feature: One of `MEANINGS`.
        over: What the gain is stated over.
        metric: Metric that gained.
        test_set: Where it was measured.
        by: ``batch``: a point a method and batch. ``method``: a point a method, with the mean
            of the feature over its batches, and its gain after the last one (over the batch
            before: the mean over batches).

    Returns:
        Columns method, batch (NA by method), feature and gain, without points that lack one.

    Raises:
        InputError: If the metric, the test set or the control arm is not there.
    """
    gained = gains(run, metric, over, test_set).reset_index()
    gained = gained.melt("method", var_name="batch", value_name="gain").dropna()
    samples = features(run)[["method", "batch", feature]].rename(columns={feature: "feature"})
    if by == "method":
        of_method = gained.sort_values("batch").groupby("method")["gain"]
        later = of_method.mean() if over == "previous" else of_method.last()
        mean = samples.groupby("method")["feature"].mean()
        both = pd.concat([mean, later], axis=1).rename_axis("method").reset_index()
        both["batch"] = pd.NA
    else:
        both = samples.merge(gained.astype({"batch": samples["batch"].dtype}))
    both = both.dropna(subset=["feature", "gain"])
    order = both["method"].map({label: i for i, label in enumerate(run.labels)})
    both = both.assign(order=order).sort_values(["order", "batch"], ignore_index=True)
    return both[["method", "batch", "feature", "gain"]].astype({"batch": "Int64"})


def regression(
    runs: Sequence[Run],
    feature: Feature,
    over: Over,
    metric: str = "mAP50",
    test_set: str = COMMON,
    by: By = "method",
) -> Finding:
    """Regress a gain on a feature of what was sent; see `points`. Points of runs are pooled.

    Args:
        runs: The runs; their points are pooled.
        feature: One of `MEANINGS`.
        over: Baseline of the gain.
        metric: Metric whose gain is measured.
        test_set: Test set on which it was measured.
        by: Whether a point is a method and batch, or a method.

    Returns:
        One row, the `Fit`; the points are in the chart.

    Raises:
        InputError: If there are fewer than three points, or either does not vary.
    """
    parts = [points(run, feature, over, metric, test_set, by) for run in runs]
    pooled = pd.concat(parts, ignore_index=True)
    line = fit(pooled["feature"].to_numpy(float), pooled["gain"].to_numpy(float))
    numbers = {name: getattr(line, name) for name in Fit.__dataclass_fields__}
    table = pd.DataFrame([{"feature": feature, "gain": f"{metric} {over}", **numbers}])
    gain_words = f"gain of {metric} {WORDS[over]} on {test_set}"
    clouds = [_cloud(run, part) for run, part in zip(runs, parts, strict=True)]
    return Finding(
        name=name_of(
            f"regression_{feature}_{over}_{metric.lower()}",
            None if test_set == COMMON else test_set,
            "by_batch" if by == "batch" else None,
            f"{len(runs)}_runs" if len(runs) > 1 else None,
        ),
        title=f"{gain_words}, by {MEANINGS[feature]}",
        note=f"{line.n} points, one a {'method' if by == 'method' else 'method and batch'}, of "
        f"{', '.join(run.name for run in runs)}. Points of one run share their test set "
        "and first model: they are not independent, and the interval is rather too narrow.",
        columns=tuple(table.columns),
        rows=cells(table),
        charts=(
            Chart(
                title=f"R2 = {line.r2:.3f}, p = {line.p_value:.3g}, n = {line.n}",
                x_title=MEANINGS[feature],
                y_title=gain_words,
                series=(*clouds, _line(pooled["feature"].to_numpy(float), line)),
            ),
        ),
    )


def _cloud(run: Run, part: pd.DataFrame) -> Series:
    batch = part["batch"].astype("str").where(part["batch"].notna(), "")
    return Series(
        name=run.name,
        x=values(part["feature"]),
        y=values(part["gain"]),
        kind="points",
        labels=tuple((part["method"] + " " + batch).str.strip()),
    )


def _line(x: FloatArray, line: Fit) -> Series:
    ends = np.array([x.min(), x.max()])
    return Series(name="fit", x=values(ends), y=values(line.intercept + line.slope * ends))
