"""How far two annotators agree about the same images.

F1 counts a box of each as agreed if their IoU is at least 0.5 and their classes are the same;
mean IoU is over those that overlap so far, whatever their classes. Cohen's kappa is of the
classes of these pairs: agreement beyond that of chance (J. Cohen, "A coefficient of agreement
for nominal scales", 1960).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from backhaul.annotation.edits import pair
from backhaul.values.labels import Labels

MIN_IOU = 0.5


@dataclass(frozen=True)
class Agreement:
    """How far two annotators agree.

    Args:
        f1: Of their boxes, in [0, 1]; 1 where neither sees an object.
        mean_iou: Of the boxes that both drew, in [0, 1]; NaN without any.
        kappa: Of the classes of those, at most 1; NaN without any, or of one class.
    """

    f1: float
    mean_iou: float
    kappa: float


def agreement_of(images: Iterable[tuple[Labels, Labels]]) -> Agreement:
    """Return how far two annotators agree about some images.

    Args:
        images: What the one and the other drew in each.
    """
    n_agreed = n_boxes = 0
    ious: list[float] = []
    classes: list[tuple[int, int]] = []
    for one, other in images:
        pairs = pair(one, other, MIN_IOU)
        both = np.column_stack([one.class_id[pairs.first], other.class_id[pairs.second]])
        n_agreed += int(np.count_nonzero(both[:, 0] == both[:, 1]))
        n_boxes += len(one) + len(other)
        ious += pairs.iou.tolist()
        classes += map(tuple, both.tolist())
    f1 = 2 * n_agreed / n_boxes if n_boxes else 1.0
    return Agreement(f1, float(np.mean(ious)) if ious else float("nan"), _kappa(classes))


def _kappa(classes: list[tuple[int, int]]) -> float:
    if not classes:
        return float("nan")
    table = np.array(classes)
    known = np.unique(table)
    shares = [(table == each).mean(axis=0) for each in known]
    by_chance = float(sum(share[0] * share[1] for share in shares))
    if by_chance == 1.0:
        return float("nan")
    return (float((table[:, 0] == table[:, 1]).mean()) - by_chance) / (1 - by_chance)
