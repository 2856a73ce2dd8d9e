"""How difficult classes are for a detector, after PPAL (Yang, Huang and Crowley, 2024)."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.values.validation import NO_CLASS, Validation

HARDEST = 1.0
"""Difficulty of a class of which nothing is known."""


def quality(confidence: FloatArray, iou: FloatArray, xi: float = 0.6) -> FloatArray:
    """Return how well labelled objects are detected, p^xi IoU^(1 - xi), in [0, 1], shape (n,).

    Args:
        confidence: Confidence p of the detection of the object's class, 0 if it was missed.
        iou: IoU of its box with the object's, 0 if it was missed.
        xi: How much the class counts beside the box, in [0, 1].
    """
    found = (confidence > 0) & (iou > 0)
    return np.where(found, confidence**xi * iou ** (1 - xi), 0.0)


def difficulty(validation: Validation, class_id: IntArray, xi: float = 0.6) -> FloatArray:
    """Return 1 - mean quality of the labelled objects of classes, in [0, 1], shape (n,).

    An object that was missed, or taken for another class, has quality 0. The paper follows a
    moving average over the objects that are trained on; validation images tell more of a
    detector that knows its training images by heart.

    Args:
        validation: What was detected in validation images.
        class_id: The classes asked for, shape (n,); `HARDEST` where no object is labelled.
        xi: As for `quality`.
    """
    labelled = validation.actual != NO_CLASS
    actual = validation.actual[labelled]
    of_hits = np.where(validation.is_hit, quality(validation.confidence, validation.iou, xi), 0)
    n = max(class_id.max(initial=-1), actual.max(initial=-1)) + 1
    objects = np.bincount(actual, minlength=n)
    total = np.bincount(actual, of_hits[labelled], n)
    every = np.where(objects > 0, 1 - total / np.maximum(objects, 1), HARDEST)
    return np.asarray(every[class_id])


def class_weight(difficulty: FloatArray, alpha: float = 0.3, beta: float = 0.2) -> FloatArray:
    """Return 1 + a b ln(1 + (e^(1/a) - 1) d), in [1, 1 + b], shape (n,).

    Args:
        difficulty: Difficulty d of classes in [0, 1], shape (n,).
        alpha: a > 0; the smaller, the sooner a class counts as hard.
        beta: b >= 0, by how much the hardest class counts more than the easiest.
    """
    steepness = np.expm1(1 / alpha)
    return np.asarray(1 + alpha * beta * np.log1p(steepness * difficulty))
