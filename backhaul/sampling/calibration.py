"""Calibrated confidences: of all objects detected with confidence c, the part c is right."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from backhaul.arrays import BoolArray, FloatArray
from backhaul.values.validation import Validation

Calibration: TypeAlias = Literal["temperature", "isotonic"]
"""How confidences are calibrated: by one number, or by any curve that does not fall."""

TEMPERATURES = (0.05, 20.0)
"""Least and greatest temperature: where detections are all right, or wrong, none is best."""

_LEAST = 1e-6  # of a confidence, and of 1 - confidence: their logarithm is finite
_HALVINGS = 60


def calibrated(
    confidence: FloatArray, validation: Validation, how: Calibration = "temperature"
) -> FloatArray:
    """Return confidences as they turned out in validation images, in [0, 1], shape (n,).

    Without any detection there they stay as they are.

    Args:
        confidence: Confidences in [0, 1], shape (n,).
        validation: What was detected in validation images, and whether it is right.
        how: ``temperature`` or ``isotonic``.
    """
    known, hit = validation.confidence[validation.is_detection], validation.is_hit
    hit = hit[validation.is_detection]
    if not len(known):
        return confidence
    if how == "isotonic":
        return isotonic(known, hit).at(confidence)
    return sigmoid(logit(confidence) / temperature(known, hit))


def temperature(confidence: FloatArray, hit: BoolArray) -> float:
    """Return the T in `TEMPERATURES` for which sigmoid(logit(c) / T) predicts hits best.

    It has the least negative log-likelihood (Guo et al., 2017), which is convex in 1 / T; its
    slope is halved down to the root.

    Args:
        confidence: Confidences in [0, 1], shape (n,), n >= 1.
        hit: Whether each object was right, shape (n,).
    """
    z = logit(confidence)
    low, high = np.log(1 / np.array(TEMPERATURES[::-1]))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = np.sum((sigmoid(z * np.exp(middle)) - hit) * z)
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


class Isotonic(NamedTuple):
    """A curve that does not fall: straight between knots, level outside.

    Args:
        confidence: Ascending, shape (k,).
        share: Share of hits at each, ascending, in [0, 1], shape (k,).
    """

    confidence: FloatArray
    share: FloatArray

    def at(self, confidence: FloatArray) -> FloatArray:
        """Return the share of hits at confidences, shape (n,)."""
        return np.interp(confidence, self.confidence, self.share)


def isotonic(confidence: FloatArray, hit: BoolArray) -> Isotonic:
    """Return the curve of least squares that does not fall (Zadrozny and Elkan, 2002).

    By pooling adjacent violators: neighbours in the wrong order get their common mean.

    Args:
        confidence: Confidences in [0, 1], shape (n,), n >= 1.
        hit: Whether each object was right, shape (n,).
    """
    known, of = np.unique(confidence, return_inverse=True)
    blocks: list[tuple[float, float, int]] = []  # hits, objects, different confidences
    for hits, n in zip(np.bincount(of, hit).tolist(), np.bincount(of).tolist(), strict=True):
        block = (hits, float(n), 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    share = np.repeat([hits / n for hits, n, _ in blocks], [width for *_, width in blocks])
    return Isotonic(known, share)


def logit(p: FloatArray) -> FloatArray:
    """Return ln(p / (1 - p)), finite also for 0 and 1."""
    p = np.clip(p, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(p) - np.log1p(-p))


def sigmoid(z: FloatArray) -> FloatArray:
    """Return 1 / (1 + e^-z)."""
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))
