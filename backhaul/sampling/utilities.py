"""Utilities: how much it is worth to have an object, or an image, labelled.

A utility of objects gives one value, 0 or more, for each detection; NaN says that it is not
known. `aggregate` makes one value an image of them. What a utility needs and does not get is a
ValueError: methods ask first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.entropy import binary_entropy
from backhaul.values.detections import NO_NEEDS, FusedDetections, Need

Aggregate: TypeAlias = Literal["max", "mean", "sum", "top"]
"""How the values of an image's objects become one value of the image."""


def confidence(found: FusedDetections) -> FloatArray:
    """Return the confidence: the surest objects are worth most, shape (n,).

    For labels by a teacher, or by hand where doubtful boxes are mostly false alarms.
    """
    return found.confidence


def least_confidence(found: FusedDetections) -> FloatArray:
    """Return 1 - confidence (Lewis and Gale, 1994), in [0, 1], shape (n,)."""
    return 1.0 - found.confidence


def calibrated_confidence(found: FusedDetections) -> FloatArray:
    """Return 1 - |2 c - 1| of a calibrated confidence c, in [0, 1], shape (n,).

    See `backhaul.sampling.calibration`. It is 1 where as many such objects are right as wrong.
    """
    if found.calibrated is None:
        raise ValueError("the utility needs confidences that are calibrated")
    return 1.0 - np.abs(2.0 * found.calibrated - 1.0)


def confidence_entropy(found: FusedDetections) -> FloatArray:
    """Return the binary entropy of the confidence, in nats, shape (n,).

    It is `entropy` where only the score of the predicted class is known.
    """
    return binary_entropy(found.confidence)


def entropy(found: FusedDetections) -> FloatArray:
    """Return the sum over classes of the binary entropies of scores, in nats, shape (n,).

    Scores of detectors such as Ultralytics' are independent sigmoids, one event a class (Roy,
    Unmesh and Namboodiri, 2018).
    """
    return np.asarray(binary_entropy(scores_of(found)).sum(axis=1))


def categorical_entropy(found: FusedDetections) -> FloatArray:
    """Return the entropy of the scores as one distribution over classes, in nats, shape (n,).

    Scores are divided by their sum first (Shannon, 1948; Settles, 2009), so it tells which
    class is meant, not whether there is an object at all.
    """
    return distribution_entropy(scores_of(found))


def margin(found: FusedDetections) -> FloatArray:
    """Return 1 - (best - second best share of the scores), in [0, 1], shape (n,).

    Scores are divided by their sum first (Scheffer et al., 2001; for detections Brust et al.,
    2019). Of one class it is 0.
    """
    share = np.sort(shares(scores_of(found)), axis=1)
    second = share[:, -2] if share.shape[1] > 1 else 0.0
    return np.asarray(1.0 - (share[:, -1] - second))


def bald(found: FusedDetections) -> FloatArray:
    """Return how much the checkpoints disagree about the classes, in nats, shape (n,).

    See `backhaul.look.disagreement.mutual_information` (Houlsby et al., 2011; of checkpoints
    in place of dropout).
    """
    return _measured(found.mutual_information)


def localisation_spread(found: FusedDetections) -> FloatArray:
    """Return 1 - mean pairwise IoU of the checkpoints' boxes, in [0, 1], shape (n,).

    NaN where fewer than two checkpoints saw the object as of its class (after Kao et al., 2018,
    who compare boxes under noise).
    """
    return 1.0 - _measured(found.pairwise_iou)


def vote_entropy(found: FusedDetections) -> FloatArray:
    """Return the binary entropy of the part of the checkpoints that saw it, shape (n,).

    That is, that saw it as of its class. In nats (Dagan and Engelson, 1995).
    """
    return binary_entropy(_measured(found.vote_fraction))


def count_disagreement(found: FusedDetections) -> FloatArray:
    """Return v (1 - v), with v the part of the checkpoints that saw an object, shape (n,).

    The sum over an image's objects is the variance over checkpoints of how many they see there,
    if they see objects independently; where they miss objects together, it is larger. The
    counts of single checkpoints are not in a pool.
    """
    fraction = _measured(found.vote_fraction)
    return fraction * (1.0 - fraction)


def aggregate(
    value: FloatArray, image: IntArray, n_images: int, how: Aggregate, top: int = 1
) -> FloatArray:
    """Return one value an image of those of its objects, NaN where none is known.

    Sums favour crowded images, whatever is in them; means favour images with few objects; `top`
    is a mean that neither many easy objects dilute nor a single odd one decides. The order of
    the rows does not matter, not even to the last bit.

    Args:
        value: Values of objects, NaN where not known, shape (n,).
        image: Image of each object, 0 to n_images - 1, shape (n,).
        n_images: How many images there are.
        how: ``max``, ``mean``, ``sum``, or ``top``: the mean of the `top` largest.
        top: How many; an image with fewer has the mean of those.
    """
    known = ~np.isnan(value)
    if how == "top":
        known[known] = _among_largest(value[known], image[known], top)
    value, image = value[known], image[known]
    if how == "max":
        greatest = np.full(n_images, np.nan)
        np.fmax.at(greatest, image, value)
        return greatest
    ascending = np.argsort(value)
    total = np.bincount(image[ascending], value[ascending], n_images)
    count = np.bincount(image, minlength=n_images)
    count = np.where(how == "sum", np.minimum(count, 1), count).astype(np.float64)
    count[count == 0] = np.nan
    return np.asarray(total / count)


def _among_largest(value: FloatArray, image: IntArray, top: int) -> BoolArray:
    """Return which values are among the `top` largest of their image, shape (n,)."""
    order = np.lexsort((-value, image))
    first = np.flatnonzero(np.diff(image[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    among = np.zeros(len(order), dtype=bool)
    among[order] = rank < top
    return among


def scores_of(found: FusedDetections) -> FloatArray:
    """Return the scores of objects, shape (n, n_classes).

    Raises:
        ValueError: If they are not known.
    """
    if found.scores is None:
        raise ValueError("the utility needs the scores of classes")
    return found.scores


def distribution_entropy(scores: FloatArray) -> FloatArray:
    """Return the entropy of scores divided by their sum, in nats, shape (n,)."""
    share = shares(scores)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1) + 0.0)


def shares(scores: FloatArray) -> FloatArray:
    """Return scores divided by their sum, equal ones where all are 0, shape (n, n_classes)."""
    total = scores.sum(axis=1, keepdims=True)
    known = total > 0
    return np.asarray(np.where(known, scores, 1.0) / np.where(known, total, scores.shape[1]))


def _measured(column: FloatArray | None) -> FloatArray:
    if column is None:
        raise ValueError("the utility needs to know how far the checkpoints disagree")
    return column


@dataclass(frozen=True, slots=True)
class Utility:
    """A utility of objects, as methods know it.

    Args:
        of: Gives each object of n a value >= 0, or NaN, shape (n,).
        prefers: The images that it prefers, in words.
        source: Where it is from.
        needs: What it needs beside detections.
        aggregate: The one way to make values of images of it; None = any.
    """

    of: Callable[[FusedDetections], FloatArray]
    prefers: str
    source: str
    needs: frozenset[Need] = NO_NEEDS
    aggregate: Aggregate | None = None


_SCORES: frozenset[Need] = frozenset({"scores"})
_DISAGREEMENT: frozenset[Need] = frozenset({"disagreement"})
_VALIDATION: frozenset[Need] = frozenset({"validation"})

UtilityName: TypeAlias = Literal[
    "confidence",
    "least-confidence",
    "calibrated-confidence",
    "confidence-entropy",
    "entropy",
    "categorical-entropy",
    "margin",
    "bald",
    "localisation-spread",
    "vote-entropy",
    "count-disagreement",
]

NOT_OF_ALL: frozenset[UtilityName] = frozenset({"localisation-spread"})
"""Utilities that are not known of every object."""

UTILITIES: Mapping[UtilityName, Utility] = {
    "confidence": Utility(confidence, "The surest objects.", "D-SBAD"),
    "least-confidence": Utility(
        least_confidence, "The least sure objects.", "Lewis and Gale 1994"
    ),
    "calibrated-confidence": Utility(
        calibrated_confidence,
        "Objects that are right or wrong alike, by the confidences of validation images.",
        "Guo et al. 2017, Zadrozny and Elkan 2002",
        _VALIDATION,
    ),
    "confidence-entropy": Utility(
        confidence_entropy,
        "Objects that may be there, or not.",
        "Settles 2009",
    ),
    "entropy": Utility(
        entropy, "Objects in doubt in any class, each by itself.", "Roy et al. 2018", _SCORES
    ),
    "categorical-entropy": Utility(
        categorical_entropy, "Objects that may be of many classes.", "Settles 2009", _SCORES
    ),
    "margin": Utility(
        margin,
        "Objects between two classes.",
        "Scheffer et al. 2001, Brust et al. 2019",
        _SCORES,
    ),
    "bald": Utility(
        bald,
        "Objects of which checkpoints are sure, and not of one mind.",
        "Houlsby et al. 2011",
        _DISAGREEMENT,
    ),
    "localisation-spread": Utility(
        localisation_spread,
        "Objects that checkpoints place differently.",
        "after Kao et al. 2018",
        _DISAGREEMENT,
    ),
    "vote-entropy": Utility(
        vote_entropy,
        "Objects that half of the checkpoints see.",
        "Dagan and Engelson 1995",
        _DISAGREEMENT,
    ),
    "count-disagreement": Utility(
        count_disagreement,
        "Images in which checkpoints see different numbers of objects.",
        "this project",
        _DISAGREEMENT,
        "sum",
    ),
}
