"""Boxes of an image that lie on top of each other: labels given twice, or of two classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

LEAST_IOU = 0.9
_SHOWN = 5
_MOST_STEPS = 100  # boxes of one image with the same left edge that are compared
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
    """Return the pairs of boxes of one image whose intersection over union is .9 or more.

    Where more than `_MOST_STEPS` boxes of an image begin at the same place, not all of these
    pairs are counted.
    """
    known = images.labelled().table
    labels = Labels.concat(known["labels"])
    image = np.repeat(np.arange(len(known)), [len(each) for each in known["labels"]])
    n_pairs, n_of_other_classes = 0, 0
    has_some = np.zeros(len(known), dtype=bool)
    first: list[tuple[int, int, float]] = []
    for one, other, iou in _pairs(labels.xywhn, image):
        n_pairs += len(one)
        n_of_other_classes += int((labels.class_id[one] != labels.class_id[other]).sum())
        has_some[image[one]] = True
        early = np.lexsort((other, one))[:_SHOWN]
        new = zip(one[early].tolist(), other[early].tolist(), iou[early].tolist(), strict=True)
        first = sorted([*first, *new])[:_SHOWN]
    names, paths = images.class_names, known["uri"]
    shown = tuple(
        Overlap(
            str(paths.iloc[image[a]]),
            (names[labels.class_id[a]], names[labels.class_id[b]]),
            round(iou, 3),
        )
        for a, b, iou in first
    )
    return Overlaps(n_pairs, int(has_some.sum()), n_of_other_classes, shown)


def _pairs(
    xywhn: FloatArray, image: IntArray
) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Yield rows of two boxes and their IoU, the first before the second, some at a time.

    Boxes are in the order of their left edges, image by image: with so large an overlap these
    are near each other, so that few neighbours in that order are compared.
    """
    low, size = xywhn[:, :2] - xywhn[:, 2:] / 2, xywhn[:, 2:]
    order = np.lexsort((low[:, 0], image))
    low, high, image = low[order], (low + size)[order], image[order]
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
            return
        common = np.minimum(high[left], high[right]) - np.maximum(low[left], low[right])
        shared = np.maximum(common, 0.0).prod(axis=1)
        both = (high[left] - low[left]).prod(axis=1) + (high[right] - low[right]).prod(axis=1)
        iou = shared / (both - shared)
        on_top = iou >= LEAST_IOU
        ends = order[left[on_top]], order[right[on_top]]
        yield np.minimum(*ends), np.maximum(*ends), iou[on_top]
