"""What an annotator did to the boxes that a model saw: a comparison of both, box by box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.campaign.labelled import Edits
from backhaul.geometry import pairwise_iou
from backhaul.values.labels import Labels

SAME_OBJECT = 0.3
"""IoU from which a box that was shown and one that came back are one object."""
UNTOUCHED = 0.98
"""IoU from which a box is as it was shown: tools round to whole pixels, or to percents."""


@dataclass(frozen=True)
class Pairs:
    """Which boxes of two sets are one object, and how far they overlap.

    Args:
        first: Rows of the first set, shape (k,).
        second: Rows of the second, shape (k,).
        iou: Of each pair, shape (k,).
    """

    first: IntArray
    second: IntArray
    iou: FloatArray


def pair(first: Labels, second: Labels, min_iou: float) -> Pairs:
    """Return the pairs of boxes that are one object, each in one pair at most.

    Boxes that overlap most are paired first; of those that overlap equally, boxes of one class.
    IoU is of boxes in fractions of the image, which is that of boxes in pixels.

    Args:
        first: Boxes in an image.
        second: Boxes in the same image.
        min_iou: IoU from which two are one object, whatever their classes.
    """
    overlap = pairwise_iou(first.xyxy(1, 1), second.xyxy(1, 1))
    alike = first.class_id[:, None] == second.class_id[None, :]
    order = np.lexsort((~alike.ravel(), -overlap.ravel()))
    free = np.ones(len(first), dtype=bool), np.ones(len(second), dtype=bool)
    rows: list[tuple[int, int]] = []
    for place in order.tolist():
        row, column = divmod(place, overlap.shape[1])
        if overlap[row, column] < min_iou:
            break
        if free[0][row] and free[1][column]:
            free[0][row] = free[1][column] = False
            rows.append((row, column))
    found = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return Pairs(found[:, 0], found[:, 1], overlap[found[:, 0], found[:, 1]])


def edits_of(shown: Labels, labelled: Labels) -> Edits:
    """Return what became of the boxes that were shown.

    Args:
        shown: Boxes of the model.
        labelled: What the annotator made of them.
    """
    pairs = pair(shown, labelled, SAME_OBJECT)
    same_class: BoolArray = shown.class_id[pairs.first] == labelled.class_id[pairs.second]
    untouched = pairs.iou >= UNTOUCHED
    n_pairs = len(pairs.first)
    return Edits(
        accepted=int(np.count_nonzero(same_class & untouched)),
        moved=int(np.count_nonzero(same_class & ~untouched)),
        reclassified=int(np.count_nonzero(~same_class)),
        added=len(labelled) - n_pairs,
        removed=len(shown) - n_pairs,
        mean_iou=float(pairs.iou.mean()) if n_pairs else None,
    )
