"""Compare two models on the same images: by how much one is better, and how sure that is.

Both see the same images, so that what makes an image hard cancels out of their difference. The
images are drawn again with replacement, with all detections and objects in them, and both
models are measured on each draw: average precision has no simple formula for its variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from backhaul.arrays import FloatArray
from backhaul.measure.gatesettings import GateMetric
from backhaul.measure.ranking import Ranking
from backhaul.measure.statistics import CONFIDENCE
from backhaul.measure.weighted import effective_number

LEAST_IMAGES = 3
"""Fewer say nothing of their spread."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """Both models, measured on all images and on resamples of them.

    Args:
        candidate: Metric of the one, on all images; NaN where it is not defined.
        basis: Metric of the other.
        candidates: Metric of the one by resample, shape (n_resamples,).
        bases: Metric of the other, on the same resamples.
        n: Number of images, see `effective_number`.
    """

    candidate: float
    basis: float
    candidates: FloatArray
    bases: FloatArray
    n: float

    @property
    def gain(self) -> float:
        """By how much the candidate is better."""
        return self.candidate - self.basis

    def lower_bound(self, alpha: float) -> float:
        """Return what the gain is above, except with probability `alpha`.

        It is the percentile interval (Efron and Tibshirani 1993, 13.3), expanded for few
        images. Of those tried on models whose true gain is 0 it let the fewest through; see
        docs/gate.md. NaN where there are too few images to say anything.
        """
        return quantile(self.candidates - self.bases, expanded(alpha, self.n))


def middle(values: FloatArray, n: float) -> tuple[float, float]:
    """Return the 95 % percentile interval of a bootstrap's values, expanded for n images."""
    tail = expanded((1 - CONFIDENCE) / 2, n)
    return quantile(values, tail), quantile(values, 1 - tail)


def expanded(alpha: float, n: float) -> float:
    """Return the share of a bootstrap's values that are left out for an error of `alpha`.

    Resamples of few images vary too little, by sqrt((n - 1) / n), and know their spread as
    little as a t-interval does: the normal quantile of alpha becomes sqrt(n / (n - 1)) times
    that of t with n - 1 degrees of freedom (Hesterberg 2015, "What teachers should know about
    the bootstrap").

    Args:
        alpha: The error, in (0, 0.5).
        n: Number of images that were drawn from.

    Returns:
        A little less than alpha, for 300 images .0492 in place of .05; NaN below three images,
        whose resamples have hardly any values.
    """
    if n < LEAST_IMAGES:
        return float("nan")
    return float(ndtr(np.sqrt(n / (n - 1)) * stdtrit(n - 1, alpha)))


def quantile(values: FloatArray, p: float) -> float:
    """Return a quantile of values, of which NaN do not count; NaN of none."""
    known = values[~np.isnan(values)]
    return float(np.quantile(known, p)) if len(known) and not np.isnan(p) else float("nan")


def resample(
    candidate: Ranking,
    basis: Ranking,
    weights: FloatArray,
    metric: GateMetric,
    n_resamples: int,
    rng: np.random.Generator,
) -> Resampled:
    """Measure two models on images, and on resamples of them.

    Images are drawn as if independently of each other: frames of one burst say less.

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
    both = np.vstack([weights, drawn])
    (first, *candidates), (second, *bases) = (
        each.score(both, metric) for each in (candidate, basis)
    )
    return Resampled(
        float(first),
        float(second),
        np.array(candidates),
        np.array(bases),
        effective_number(weights),
    )
