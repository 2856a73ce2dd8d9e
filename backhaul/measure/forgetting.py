"""Backward transfer and forgetting: what later trainings did to what was learned earlier.

Both take a matrix of scores, shape (n, n): row i is the model after training i, column j the
test images that belong to training j, and 0 is the initial training. What was not measured is
NaN; above the diagonal that is everything, as a model is not measured on what it has yet to
learn.
"""

from __future__ import annotations

import numpy as np

from backhaul.arrays import FloatArray


def backward_transfer(scores: FloatArray) -> FloatArray:
    """Return by how much a model is better on earlier tests than when each was learned.

    After training i it is the mean over j < i of R[i, j] - R[j, j] (Lopez-Paz and Ranzato 2017,
    eq. 3, who give it after the last). Below 0, something was forgotten.

    Args:
        scores: The matrix R, shape (n, n).

    Returns:
        Shape (n,), in [-1, 1] for scores in [0, 1]; NaN where nothing earlier was measured.
    """
    return _mean_over_earlier(scores - np.diag(scores))


def forgetting(scores: FloatArray) -> FloatArray:
    """Return by how much a model is worse on earlier tests than the best one before it was.

    After training i it is the mean over j < i of max R[l, j] - R[i, j] with l from j to i - 1
    (Chaudhry et al. 2018, eq. 3). Above 0, something was forgotten, and below, nothing was.

    Args:
        scores: The matrix R, shape (n, n).

    Returns:
        Shape (n,), in [-1, 1] for scores in [0, 1]; NaN where nothing earlier was measured.
    """
    best = np.fmax.accumulate(scores, axis=0)  # of all models so far, without those unmeasured
    before = np.vstack([np.full((1, scores.shape[1]), np.nan), best[:-1]])
    return _mean_over_earlier(before - scores)


def _mean_over_earlier(differences: FloatArray) -> FloatArray:
    """Return the mean of each row over the columns before the diagonal that are known."""
    earlier = np.tri(len(differences), k=-1, dtype=bool) & ~np.isnan(differences)
    n = earlier.sum(axis=1)
    total = np.where(earlier, differences, 0.0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)
