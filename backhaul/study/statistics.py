"""What the rows of a study show: paired differences, their intervals, and how sure they are.

The seed is the unit. All else that is repeated within one (draws, retrainings, budgets) makes
the value of that seed less noisy, and does not count as more evidence.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import optimize, stats
from scipy.special import stdtrit

from backhaul.arrays import FloatArray
from backhaul.measure.statistics import CONFIDENCE

POWER = 0.8
RESAMPLES = 9_999
FEWEST_OF_BCA = 3
ROUNDING = 1e-12
"""Equal means that were summed in another order differ by less."""
GAIN = 0.01
"""The gain in mAP50 for which images are counted."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A mean paired difference over seeds.

    Args:
        mean: The mean; NaN of no seed.
        low: Lower end of the 95 % t-interval (Student 1908), see `t_interval`.
        high: Upper end of it.
        p: Two-sided p-value of the t-test against 0; NaN where there is no interval.
        bca: The 95 % bootstrap interval, bias-corrected and accelerated (Efron 1987); NaN below
            three seeds, or where all are equal.
        wilcoxon: Two-sided p-value of the signed-rank test (Wilcoxon 1945); NaN of no seed, or
            if all differences are 0.
        detectable: Smallest true mean that a t-test with as many seeds of this spread finds
            with a probability of 0.8; NaN where there is no interval.
        n: Number of seeds.
    """

    mean: float
    low: float
    high: float
    p: float
    bca: tuple[float, float]
    wilcoxon: float
    detectable: float
    n: int


def effect(differences: Sequence[float]) -> Effect:
    """Return what paired differences, one a seed, say of their mean."""
    values = np.asarray(differences, dtype=float)
    n = len(values)
    nan = math.nan
    if n == 0:
        return Effect(nan, nan, nan, nan, (nan, nan), nan, nan, 0)
    mean = float(values.mean())
    low, high = t_interval(values)
    p = detectable = nan
    if math.isfinite(low):
        spread = float(values.std(ddof=1))
        p = _t_test(mean, spread, n)
        detectable = detectable_mean(spread, n)
    return Effect(mean, low, high, p, _bca(values), _wilcoxon(values), detectable, n)


def t_interval(values: FloatArray) -> tuple[float, float]:
    """Return the 95 % t-interval of the mean of values, shape (n,).

    NaN below two, and where all are one value other than 0: such a spread of 0 is of rounding,
    or of a test set that is too small, and would show anything. Where all are 0 there is no
    difference, and the interval is that point.
    """
    n = len(values)
    spread, largest = (np.ptp(values), np.abs(values).max()) if n else (0.0, 0.0)
    if n < 2 or spread < ROUNDING <= largest:  # noqa: PLR2004 - one value has no spread
        return math.nan, math.nan
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * values.std(ddof=1) / math.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def _t_test(mean: float, spread: float, n: int) -> float:
    if spread == 0:
        return 1.0
    return float(2 * stats.t.sf(abs(mean) / (spread / math.sqrt(n)), n - 1))


def _bca(values: FloatArray) -> tuple[float, float]:
    if len(values) < FEWEST_OF_BCA or np.ptp(values) == 0:
        return math.nan, math.nan
    with warnings.catch_warnings():  # of a sample whose jackknife is degenerate: it gives NaN
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            (values,),
            np.mean,
            confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES,
            method="BCa",
            rng=np.random.default_rng(0),  # a page says the same each time that it is made
        )
    interval = found.confidence_interval
    return float(interval.low), float(interval.high)


def _wilcoxon(values: FloatArray) -> float:
    return float(stats.wilcoxon(values).pvalue) if np.any(values != 0) else math.nan


def detectable_mean(spread: float, n: int, power: float = POWER) -> float:
    """Return the smallest true mean that a two-sided t-test at 5 % finds with this power.

    It solves P(T > t(0.975, n - 1)) = power for the non-central t distribution (Cohen 1988).
    That it finds the opposite is left out: at a power of 0.8 it has a chance below 0.0001.

    Args:
        spread: Standard deviation of the differences.
        n: Number of differences, at least 2.
        power: Probability that the test is significant, in (0.05, 1).
    """
    if spread == 0:
        return 0.0
    free = n - 1
    critical = float(stats.t.ppf((1 + CONFIDENCE) / 2, free))

    def missing(shift: float) -> float:
        return float(stats.nct.sf(critical, free, shift)) - power

    most = 2.0
    while missing(most) < 0:
        most *= 2
    return float(optimize.brentq(missing, 0.0, most)) * spread / math.sqrt(n)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Return p-values adjusted for their number by the step-down rule of Holm (1979).

    Those that are NaN are no tests, and stay so. SciPy has no such rule.
    """
    tests = sorted((value, name) for name, value in p.items() if math.isfinite(value))
    adjusted = dict.fromkeys(p, math.nan)
    least = 0.0
    for rank, (value, name) in enumerate(tests):
        least = max(least, min(1.0, (len(tests) - rank) * value))
        adjusted[name] = least
    return adjusted


def levels(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean mAP50 of each arm, by seed and budget, over draws and retrainings.

    Args:
        rows: Rows of one set, see `backhaul.study.rows.Row`; of each arm and seed all or none.

    Returns:
        Index: seed; columns: arm, budget (empty for arms without one).
    """
    table = rows.pivot_table(
        index="seed", columns=["arm", "budget"], values="map50", aggfunc="mean", observed=True
    )
    return table.sort_index()


def over_budgets(by_budget: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over budgets of each arm, by seed.

    Args:
        by_budget: What `levels` returns.

    Returns:
        Index: seed; columns: arm.
    """
    return by_budget.T.groupby(level="arm", sort=False).mean().T


def wins(by_arm: pd.DataFrame) -> pd.DataFrame:
    """Return how often each arm was better than each other one, as a fraction of the seeds.

    A tie counts half. Seeds count that have both; NaN without any.

    Args:
        by_arm: What `over_budgets` returns.

    Returns:
        Index: arm; columns: the other arm; in [0, 1], NaN on the diagonal.
    """
    values = by_arm.to_numpy(dtype=float)
    difference = values[:, :, None] - values[:, None, :]
    known = np.isfinite(difference)
    better = np.where(known, (difference > 0) + 0.5 * (difference == 0), 0.0).sum(axis=0)
    n = known.sum(axis=0).astype(float)
    share = np.divide(better, n, out=np.full_like(better, np.nan), where=n > 0)
    np.fill_diagonal(share, np.nan)
    return pd.DataFrame(share, index=by_arm.columns, columns=by_arm.columns)


def images_until(
    n_images: Sequence[float], map50: Sequence[float], gain: float = GAIN
) -> float:
    """Return how many more images it takes until mAP50 is higher by `gain`, from the first on.

    Between measured points the curve is a straight line; beyond the last one nothing is said.

    Args:
        n_images: Mean number of images at each point, increasing.
        map50: Mean mAP50 there.
        gain: The wished gain.

    Returns:
        The number of images; NaN if it is more than was measured.
    """
    wanted = map50[0] + gain
    points = list(zip(n_images, map50, strict=True))
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 < wanted <= y1:
            return x0 + (x1 - x0) * (wanted - y0) / (y1 - y0) - n_images[0]
    return math.nan
