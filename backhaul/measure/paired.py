"""Compare two models on the same images: by how much one is better, and how sure that is.

Both see the same images, so that what makes an image hard cancels out of their difference. The
images are drawn again with replacement, with all detections and objects in them, and both
models are measured on each draw: average precision has no simple formula for its variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.measure.gatesettings import GateMetric
from backhaul.measure.ranking import Ranking
from backhaul.measure.statistics import CONFIDENCE


@dataclass(frozen=True, eq=False)
class Resampled:
    """Both models, measured on all images and on resamples of them.

    Args:
        candidate: Metric of the one, on all images; NaN where it is not defined.
        basis: Metric of the other.
        candidates: Metric of the one by resample, shape (n_resamples,).
        bases: Metric of the other, on the same resamples.
    """

    candidate: float
    basis: float
    candidates: FloatArray
    bases: FloatArray

    @property
    def gain(self) -> float:
        """By how much the candidate is better."""
        return self.candidate - self.basis

    def lower_bound(self, alpha: float) -> float:
        """Return what the gain is above, except with probability `alpha`.

        It is the percentile interval (Efron and Tibshirani 1993, 13.3). Of those tried on
        models whose true gain is 0 it let the fewest through; see docs/gate.md.
        """
        return quantile(self.candidates - self.bases, alpha)


def middle(values: FloatArray) -> tuple[float, float]:
    """Return the 95 % percentile interval of a bootstrap's values."""
    tail = (1 - CONFIDENCE) / 2
    return quantile(values, tail), quantile(values, 1 - tail)


def quantile(values: FloatArray, p: float) -> float:
    """Return a quantile of values, of which NaN do not count; NaN of none."""
    known = values[~np.isnan(values)]
    return float(np.quantile(known, p)) if len(known) else float("nan")


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
    return Resampled(float(first), float(second), np.array(candidates), np.array(bases))
