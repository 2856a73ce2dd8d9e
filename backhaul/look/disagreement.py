"""How far the checkpoints of an ensemble disagree about an object: its class, and its place."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.entropy import binary_entropy
from backhaul.geometry import iou
from backhaul.values.detections import Detections


def mutual_information(
    boxes: Detections, cluster: IntArray, n_epochs: int, conf_thres: float
) -> FloatArray:
    """Return how much the checkpoint says about the classes of each object, in nats, >= 0.

    That is BALD (Houlsby et al., 2011) for scores that are independent sigmoids: the sum over
    classes of h(mean_k p) - mean_k h(p), with h the binary entropy and p the score that
    checkpoint k gives the class. The scores of a checkpoint are those of its most confident
    box of the object. Of a checkpoint without a box there it is known that its scores lie
    below `conf_thres`, not that they are 0: half of that stands for each.

    Args:
        boxes: Boxes with scores, the most confident of an image first, n of them.
        cluster: The object of each box, 0 to m - 1, each with a box at least, shape (n,).
        n_epochs: How many checkpoints were run.
        conf_thres: Confidence that boxes had to exceed, in [0, 1].

    Returns:
        Values of shape (m,).

    Raises:
        ValueError: If the boxes have no scores.
    """
    if boxes.scores is None:
        raise ValueError("disagreement over classes needs the scores of boxes")
    if not len(boxes):
        return np.zeros(0)
    epochs, which = np.unique(boxes.epoch, return_inverse=True)
    _, best = np.unique(cluster * len(epochs) + which, return_index=True)
    scores, owner = boxes.scores[best], cluster[best]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    n_without = n_epochs - np.diff(first, append=len(owner))
    imputed = np.full(scores.shape[1], conf_thres / 2)
    mean = (np.add.reduceat(scores, first) + n_without[:, None] * imputed) / n_epochs
    seen = np.add.reduceat(binary_entropy(scores).sum(axis=1), first)
    within = (seen + n_without * binary_entropy(imputed).sum()) / n_epochs
    return np.asarray(np.maximum(binary_entropy(mean).sum(axis=1) - within, 0.0))


def mean_pairwise_iou(xyxy: FloatArray, first: IntArray, count: IntArray) -> FloatArray:
    """Return the mean IoU over all pairs of boxes of each group, in [0, 1], shape (m,).

    A group of one box has no pair: its value is missing (NaN), not 0 and not 1.

    Args:
        xyxy: Corners, those of one group beside each other, shape (n, 4).
        first: Where each group begins, shape (m,).
        count: How many boxes it has, shape (m,).
    """
    total = np.zeros(len(first))
    for one, other in combinations(range(count.max(initial=0)), 2):
        there = np.flatnonzero(count > other)
        total[there] += iou(xyxy[first[there] + one], xyxy[first[there] + other])
    pairs = count * (count - 1) / 2
    pairs[pairs == 0] = np.nan
    return np.asarray(total / pairs)
