"""Compare two models on the same images: by how much one is better, and how sure that is.

Both see the same images, so that what makes an image hard cancels out of their difference. The
images are drawn again with replacement, with all detections and objects in them (Efron and
Tibshirani 1993, chapter 13), and both models are measured on each draw: average precision has
no simple formula for its variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from backhaul.arrays import FloatArray
from backhaul.measure.gatesettings import GateMetric
from backhaul.measure.ranking import Ranking
from backhaul.measure.statistics import CONFIDENCE

Z_OF_ALL = 8.0
"""In place of an infinite quantile: all resamples are on one side of what was measured."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """Both models, measured on all images and on resamples of them.

    Args:
        candidate: Metric of the one, on all images.
        basis: Metric of the other.
        candidates: Metric of the one by resample, shape (n_resamples,).
        bases: Metric of the other, on the same resamples.
        left_out: Their difference without one of the images, shape (n_images,).
    """

    candidate: float
    basis: float
    candidates: FloatArray
    bases: FloatArray
    left_out: FloatArray

    @property
    def gain(self) -> float:
        """By how much the candidate is better."""
        return self.candidate - self.basis

    def lower_bound(self, alpha: float) -> float:
        """Return what the gain is above, except with probability `alpha`; see `quantile`."""
        gains = self.candidates - self.bases
        return quantile(gains, self.gain, self.left_out, alpha)

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the gain."""
        gains, tail = self.candidates - self.bases, (1 - CONFIDENCE) / 2
        low, high = (quantile(gains, self.gain, self.left_out, t) for t in (tail, 1 - tail))
        return low, high


def middle(values: FloatArray) -> tuple[float, float]:
    """Return between what the middle 95 % of a model's resamples are, without NaN."""
    known, tail = values[~np.isnan(values)], (1 - CONFIDENCE) / 2
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)


def resample(
    candidate: Ranking,
    basis: Ranking,
    weights: FloatArray,
    metric: GateMetric,
    n_resamples: int,
    rng: np.random.Generator,
) -> Resampled:
    """Measure two models on images, and on resamples of them.

    Args:
        candidate: What one model detects in n images.
        basis: What the other detects there.
        weights: What each image counts, >= 0, shape (n,).
        metric: What they are measured by.
        n_resamples: Number of resamples.
        rng: Draws them.
    """
    n = len(weights)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples) * weights
    without = weights * (1 - np.eye(n))

    def measured(given: FloatArray) -> tuple[FloatArray, FloatArray]:
        return candidate.score(given, metric), basis.score(given, metric)

    (first,), (second,) = measured(weights[None])
    candidates, bases = measured(drawn)
    left_out = np.subtract(*measured(without))
    return Resampled(float(first), float(second), candidates, bases, left_out)


def quantile(values: FloatArray, measured: float, left_out: FloatArray, p: float) -> float:
    """Return the quantile of a bootstrap's distribution, corrected for bias and acceleration.

    It is BCa (Efron 1987; Efron and Tibshirani 1993, 14.3): the quantile at
    Phi(z0 + (z0 + z) / (1 - a (z0 + z))) with z = Phi^-1(p), the bias z0 from the share of
    resamples below what was measured, and the acceleration a from leaving each image out.

    Args:
        values: The statistic by resample; NaN where it was not defined.
        measured: The statistic of all images.
        left_out: The statistic without each of the images.
        p: Which quantile, in (0, 1).
    """
    known = values[~np.isnan(values)]
    if np.isnan(measured) or not len(known):
        return float("nan")
    below = (np.sum(known < measured) + np.sum(known == measured) / 2) / len(known)
    bias = float(np.clip(ndtri(below), -Z_OF_ALL, Z_OF_ALL))
    influence = np.nanmean(left_out) - left_out[~np.isnan(left_out)]
    squares = float(np.sum(influence**2)) ** 1.5
    acceleration = float(np.sum(influence**3)) / (6 * squares) if squares > 0 else 0.0
    z = bias + float(ndtri(p))
    return float(np.quantile(known, ndtr(bias + z / (1 - acceleration * z))))
