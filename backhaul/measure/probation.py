"""Is a model worse than the one before? Asked after every frame, and answered at the end.

Both models see the same frames, and the difference of their scores is looked at. Chance drew
the frames with known probabilities, so that each stands for 1 / probability of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import logsumexp, stdtrit

from backhaul.arrays import FloatArray
from backhaul.measure.weighted import effective_number

Outcome: TypeAlias = Literal["worse", "not worse", "not shown", "open"]

_STAKES = np.linspace(0.05, 0.95, 19)
"""Parts of what one has that are staked on "worse", a gambler each; all begin with the same."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What frames say of a model beside the one before it.

    Args:
        outcome: ``worse`` = shown to be worse; ``not worse`` = shown to be worse by less than
            the margin; ``not shown`` = all frames are there, and that was not shown; ``open`` =
            more frames are to come.
        n: Frames that it was concluded from: of those given, the first ones.
        difference: Weighted mean of the difference in score, in [-1, 1]; NaN without frames.
        low: Below it the true mean is with probability alpha.
        high: Above it, likewise.
        evidence: What a unit staked on "worse" has become at most, see `evidence`.
    """

    outcome: Outcome
    n: int
    difference: float
    low: float
    high: float
    evidence: float


def compare(
    weight: FloatArray,
    difference: FloatArray,
    *,
    most: int,
    margin: float,
    alpha: float,
    is_over: bool = False,
) -> Comparison:
    """Return what frames say by now.

    Two errors are bounded by `alpha`, each on its own: a model that is as good as the one
    before is called worse at any time (`evidence`), and one that is worse by the margin passes
    at the end, where it is asked once (`interval`).

    Args:
        weight: What each of n frames stands for, > 0, in the order in which they were scored.
        difference: Score of the new model minus that of the one before, in [-1, 1], shape (n,).
        most: Frames that decide; later ones do not count.
        margin: By so much it may be worse.
        alpha: Bound on each error, in (0, 1).
        is_over: Whether the frames that there are decide, though they are fewer.
    """
    w, d = weight[:most], difference[:most]
    grown = evidence(w, d)
    shown = np.flatnonzero(grown >= 1 / alpha)
    n = int(shown[0]) + 1 if len(shown) else len(w)
    mean = float(w[:n] @ d[:n] / w[:n].sum()) if n else math.nan
    low, high = interval(w[:n], d[:n], alpha)
    outcome: Outcome = "open"
    if len(shown):
        outcome = "worse"
    elif n == most or is_over:
        outcome = "not worse" if low > -margin else "not shown"
    return Comparison(outcome, n, mean, low, high, float(grown[:n].max(initial=1.0)))


def evidence(weight: FloatArray, difference: FloatArray) -> FloatArray:
    """Return what a unit staked on "worse" has become after each frame, shape (n,).

    Of each gambler of `_STAKES`, with stake s, what he has is multiplied by 1 - s z, with z the
    difference times the frame's weight, by the greatest weight so far; the mean over gamblers
    is returned (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by
    betting"). If no frame is expected to be worse, given those before and its weight, that is
    a supermartingale, and by Ville's inequality the probability that it ever reaches 1 / alpha
    is at most alpha.

    Args:
        weight: What each of n frames stands for, > 0, shape (n,).
        difference: Differences in score, in [-1, 1], shape (n,).
    """
    z = difference * weight / np.maximum.accumulate(weight)
    each = np.cumsum(np.log1p(-np.outer(_STAKES, z)), axis=1)
    grown: FloatArray = np.exp(logsumexp(each, axis=0) - math.log(len(_STAKES)))
    return grown


def interval(weight: FloatArray, difference: FloatArray, alpha: float) -> tuple[float, float]:
    """Return bounds of the weighted mean, each of which it passes with probability alpha.

    A mean r is kept for which sum w (d - r), divided by the root of sum w^2 (d - r)^2, lies
    within the quantiles of t with n - 1 degrees of freedom: the score test of a ratio of sums,
    whose variance is that at the mean asked for. Where a few frames differ and most do not, it
    keeps its level better than a t-interval, whose variance is that at the mean found. Where a
    few heavy frames carry the variance, n is about their number, see `effective_number`.

    Args:
        weight: What each of n frames stands for, > 0, shape (n,).
        difference: Differences in score, shape (n,).
        alpha: Probability of each side, in (0, 0.5).

    Returns:
        Infinite where there are too few frames to say anything.
    """
    n = effective_number(weight)
    if n <= 1:  # a t-quantile needs a degree of freedom
        return -math.inf, math.inf
    z2 = float(stdtrit(n - 1, alpha)) ** 2
    total, squares = float(weight.sum()), weight**2
    a = total**2 - z2 * float(squares.sum())
    if a <= 0:
        return -math.inf, math.inf
    sum_wd = float(weight @ difference)
    b = total * sum_wd - z2 * float(squares @ difference)
    c = sum_wd**2 - z2 * float(squares @ difference**2)
    half = math.sqrt(max(b**2 - a * c, 0.0)) / a
    return b / a - half, b / a + half
