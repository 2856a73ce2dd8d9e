"""Boxes of an image that lie on top of each other: labels given twice, or of two classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray, IntArray
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

LEAST_IOU = 0.9
_SHOWN = 5
_MOST_STEPS = 2_000  # boxes of one image with the same left edge that are compared
_ROOM = (1 - LEAST_IOU) / LEAST_IOU  # between left edges, of the width of either box


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two boxes that lie on top of each other.

    Args:
        path: The image.
        classes: Names of the classes of both.
        iou: Their intersection over union.
    """

    path: str
    classes: tuple[str, str]
    iou: float


@dataclass(frozen=True, slots=True)
class Overlaps:
    """All pairs of boxes of a data set that lie on top of each other.

    Args:
        n_pairs: How many there are.
        n_images: Images that they are in.
        n_of_other_classes: Pairs of two classes.
        first: Some of them, in the order of the images.
    """

    n_pairs: int
    n_images: int
    n_of_other_classes: int
    first: tuple[Overlap, ...]


def find_overlaps(images: ImageSet) -> Overlaps:
    """Return the pairs of boxes of one image whose intersection over union is .9 or more."""
    known = images.labelled().table
    labels = Labels.concat(known["labels"])
    image = np.repeat(np.arange(len(known)), [len(each) for each in known["labels"]])
    one, other, iou = _pairs(labels.xywhn, image)
    other_class = labels.class_id[one] != labels.class_id[other]
    names = images.class_names
    first = tuple(
        Overlap(
            str(known["uri"].iloc[image[a]]),
            (names[labels.class_id[a]], names[labels.class_id[b]]),
            round(float(value), 3),
        )
        for a, b, value in zip(one[:_SHOWN], other[:_SHOWN], iou[:_SHOWN], strict=True)
    )
    return Overlaps(len(one), int(pd.unique(image[one]).size), int(other_class.sum()), first)


def _pairs(xywhn: FloatArray, image: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return rows of two boxes and their IoU, the first before the second, sorted.

    Boxes are in the order of their left edges, image by image: with so large an overlap these
    are near each other, so that few neighbours in that order are compared.
    """
    low, size = xywhn[:, :2] - xywhn[:, 2:] / 2, xywhn[:, 2:]
    order = np.lexsort((low[:, 0], image))
    low, high, image = low[order], (low + size)[order], image[order]
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    left = np.arange(len(order))
    for step in range(1, _MOST_STEPS + 1):
        left = left[left + step < len(order)]
        right = left + step
        width = high[left, 0] - low[left, 0]
        near = (image[left] == image[right]) & (
            low[right, 0] - low[left, 0] <= _ROOM * width + np.finfo(np.float64).eps
        )
        left, right = left[near], right[near]
        if not len(left):
            break
        common = np.minimum(high[left], high[right]) - np.maximum(low[left], low[right])
        shared = np.maximum(common, 0.0).prod(axis=1)
        both = (high[left] - low[left]).prod(axis=1) + (high[right] - low[right]).prod(axis=1)
        iou = shared / (both - shared)
        on_top = iou >= LEAST_IOU
        found.append((order[left[on_top]], order[right[on_top]], iou[on_top]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    ends = [np.concatenate(parts) for parts in zip(*((f[0], f[1]) for f in found), strict=True)]
    iou = np.concatenate([f[2] for f in found])
    one, other = np.minimum(*ends), np.maximum(*ends)
    sorted_ = np.lexsort((other, one))
    return one[sorted_], other[sorted_], iou[sorted_]
