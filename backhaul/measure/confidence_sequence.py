"""Confidence sequences: intervals of a running mean that hold at all times at once.

One may look after every value, and stop when one likes: the probability that the true mean is
ever outside is at most `alpha`. A t-interval promises that for one look only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from backhaul.arrays import FloatArray

LEAST_SPREAD = 0.02
"""Least standard deviation, in mAP50, that an estimate of it is taken for: two trainings on the
same images differ by as much, and a few equal values would otherwise seem to be certain."""
SHARPEST_AT = 20
"""Number of values at which the sequence of a known spread is made narrowest."""
MOST_AHEAD = 1000
"""Values that are looked ahead."""


def half_widths(
    values: Sequence[float], alpha: float, spread: float | None = None
) -> FloatArray:
    """Return half the width of the 1 - alpha confidence sequence around each running mean.

    Values may depend on the past, as rounds of a chain do; what is covered is then the mean of
    their expectations, each given the past.

    Args:
        values: Values in the order in which they came, shape (n,).
        alpha: Probability of being wrong at any time, in (0, 1).
        spread: Bound on the standard deviation (sub-Gaussian) of a value; None = estimated
            from the values so far, at least `LEAST_SPREAD`, which takes them to be about
            normal.

    Returns:
        Shape (n,); infinite where too few values are known to say anything.
    """
    n = np.arange(1, len(values) + 1, dtype=float)
    if spread is not None:
        return known_spread(n, alpha, spread)
    return estimated_spread(n, alpha, spreads(values))


def values_until(
    values: Sequence[float], low: float, high: float, alpha: float, spread: float | None = None
) -> float:
    """Return how many more values it takes until the sequence leaves out `low` or `high`.

    It takes mean and spread of later values to be those of the values so far.

    Args:
        values: Values in the order in which they came, at least one.
        low: The mean is found to be above it, or
        high: below it.
        alpha: Probability of being wrong at any time, in (0, 1).
        spread: As of `half_widths`.

    Returns:
        A whole number, at least 1; infinite for more than `MOST_AHEAD`.
    """
    n = len(values) + np.arange(1, MOST_AHEAD + 1, dtype=float)
    mean = float(np.mean(values))
    if spread is not None:
        half = known_spread(n, alpha, spread)
    else:
        half = estimated_spread(n, alpha, np.full_like(n, spreads(values)[-1]))
    told = np.flatnonzero((mean - half > low) | (mean + half < high))
    return float(told[0] + 1) if len(told) else math.inf


def known_spread(n: FloatArray, alpha: float, spread: float) -> FloatArray:
    """Return half widths by the two-sided normal mixture (Howard et al. 2021, eq. 14).

    With v = n spread^2, it is sqrt((v + rho) log((v + rho) / (alpha^2 rho))) / n. It is
    narrowest at v = m for rho = m / (-W(-alpha^2 / e) - 1), with the lower branch of Lambert's
    W; the divisor is about 2 log(1 / alpha) + log(1 + 2 log(1 / alpha)).

    Args:
        n: Numbers of values, at least 1.
        alpha: Probability of being wrong at any time, in (0, 1).
        spread: Bound on the standard deviation of a value.
    """
    narrowing = 2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha))
    v, rho = n * spread**2, SHARPEST_AT * spread**2 / narrowing
    half: FloatArray = np.sqrt((v + rho) * np.log((v + rho) / (alpha**2 * rho))) / n
    return half


def estimated_spread(n: FloatArray, alpha: float, spread: FloatArray) -> FloatArray:
    """Return half widths by the normal mixture over effects, of normal values of any spread.

    The likelihood ratio of the t-statistic, mixed over standardised effects of N(0, 1), is a
    martingale (Lai 1976; Wang and Ramdas 2025): the mean is kept for which it is below
    1 / alpha. With k = (sqrt(1 + n) / alpha)^(2 / n), these are the t with
    t^2 < (n - 1) (k - 1) / (1 - k / (1 + n)), and all where k is 1 + n or more.

    Args:
        n: Numbers of values, at least 1.
        alpha: Probability of being wrong at any time, in (0, 1).
        spread: Standard deviation of so many values (ddof 1), of the same shape.
    """
    k = (np.sqrt(1 + n) / alpha) ** (2 / n)
    room = 1 - k / (1 + n)
    half = np.full_like(n, np.inf)
    known = room > 0
    t_squared = (n[known] - 1) * (k[known] - 1) / room[known]
    half[known] = np.sqrt(t_squared / n[known]) * spread[known]
    return half


def spreads(values: Sequence[float]) -> FloatArray:
    """Return the standard deviation (ddof 1) of the first n values, for each n.

    It is at least `LEAST_SPREAD`.
    """
    given = np.asarray(values, dtype=float)
    n = np.arange(1, len(given) + 1)
    shifted = given - (given[0] if len(given) else 0.0)  # as squares of large means cancel
    squares = np.cumsum(shifted**2) - np.cumsum(shifted) ** 2 / n
    found: FloatArray = np.sqrt(np.maximum(squares, 0) / np.maximum(n - 1, 1))
    return np.maximum(found, LEAST_SPREAD)
