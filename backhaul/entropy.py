"""Entropy of events that happen or not."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import FloatArray


def binary_entropy(p: FloatArray) -> FloatArray:
    """Return how uncertain events of these probabilities are, in nats, in [0, ln 2].

    Args:
        p: Probabilities in [0, 1], of any shape, which is that of the result; NaN gives NaN.

    Example:
        >>> binary_entropy(np.array([0.0, 0.5])).round(4).tolist()
        [0.0, 0.6931]
    """
    other = 1.0 - p
    entropy = -p * np.log(np.where(p > 0, p, 1.0)) - other * np.log(np.where(p < 1, other, 1.0))
    return np.asarray(entropy + 0.0)  # no -0.0
