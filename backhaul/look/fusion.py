"""Fuse the detections of K checkpoints into one set, with mean confidence and spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.geometry import iou, pairwise_iou
from backhaul.look.disagreement import mean_pairwise_iou, mutual_information
from backhaul.values.columns import positions
from backhaul.values.detections import Boxes, Detections, FusedDetections

LabelFrom: TypeAlias = Literal["mean", "last"]


def fuse(
    detections: Detections,
    epochs: Sequence[int],
    iou_thres: float,
    label_from: LabelFrom = "mean",
    conf_thres: float | None = None,
) -> FusedDetections:
    """Return one box for each object that the checkpoints detect.

    The boxes of one image are clustered over checkpoints and classes, most confident first
    (ties by epoch, coordinates, class). A box joins the earliest cluster whose first box it
    overlaps enough and that has no box of its checkpoint and class yet; the earliest is the one
    with the most confident first box. If there is none, the box starts a cluster. Only the
    overlap with the first box counts, as in non-maximum suppression, so a cluster cannot drift.

    A class's confidence is its mean over all K checkpoints, 0 for those that did not detect it
    in the cluster; its spread is the sample standard deviation over the same K values. Scores
    are means over the K checkpoints, too; the spread of the corners is taken over those that
    detected the class. The result does not depend on the order of the rows.

    Args:
        detections: Boxes of the single checkpoints.
        epochs: The K checkpoints that were run, also those without any detection.
        iou_thres: IoU with the cluster's first box from which a box joins, in [0, 1].
        label_from: ``mean`` gives a cluster the class of greatest mean confidence (ties: lower
            id); ``last`` the class in which the last epoch is most confident there (ties:
            greater mean, then lower id), or as ``mean`` where the last epoch detects nothing.
        conf_thres: Where disagreement is needed, the confidence that boxes had to exceed. That
            about classes stays unknown where boxes have no scores.

    Returns:
        One row a cluster, with the most confident box of its class and the number of
        checkpoints that detected it there; by image_id, falling confidence, coordinates.

    Raises:
        ValueError: If an epoch repeats, there is none, or a detection is of another epoch.
    """
    if not epochs or len(set(epochs)) != len(epochs):
        raise ValueError(f"expected different epochs, at least one, got {tuple(epochs)}")
    if not np.isin(detections.epoch, epochs).all():
        raise ValueError(f"a detection is of none of the epochs {tuple(epochs)}")
    boxes = _most_confident_first(detections)
    cluster = _cluster(boxes, iou_thres)
    votes = _Votes.of(boxes, cluster)
    mean = votes.sums(boxes.confidence) / len(epochs)
    preference = [-mean]
    if label_from == "last":
        of_last = np.where(boxes.epoch == max(epochs), boxes.confidence, -1.0)
        preference.append(-np.maximum.reduceat(of_last[votes.rows], votes.first))
    best_first = np.lexsort((votes.class_id, *preference, votes.cluster))
    chosen = best_first[np.diff(votes.cluster[best_first], prepend=-1) != 0]
    own = votes.take(chosen)
    fused = _fused(boxes, own, mean[chosen], len(epochs))
    if conf_thres is not None:
        fused = replace(
            fused,
            pairwise_iou=mean_pairwise_iou(boxes.xyxy[own.rows], own.first, own.count),
            vote_fraction=own.count / len(epochs),
        )
        if boxes.scores is not None:
            information = mutual_information(boxes, cluster, len(epochs), conf_thres)
            fused = replace(fused, mutual_information=information[own.cluster])
    return fused.take(in_order(fused))


def _most_confident_first(detections: Detections) -> Detections:
    """Return the detections image by image, in the order in which they are clustered."""
    x1, y1, x2, y2 = detections.xyxy.T
    ties = (detections.class_id, y2, x2, y1, x1, detections.epoch)
    return detections.take(_by_image_and_confidence(detections, ties))


def in_order(fused: FusedDetections) -> IntArray:
    """Return the rows by image_id, falling confidence, coordinates and class."""
    x1, y1, x2, y2 = fused.xyxy.T
    return _by_image_and_confidence(fused, (fused.class_id, y2, x2, y1, x1))


def _by_image_and_confidence(boxes: Boxes, ties: Sequence[FloatArray | IntArray]) -> IntArray:
    """Return rows by image and falling confidence, then by `ties`, the last of them first."""
    image = positions(boxes.image_id, sorted(set(boxes.image_id.tolist())))
    order = np.lexsort((-boxes.confidence, image))
    same = (np.diff(image[order]) == 0) & (np.diff(boxes.confidence[order]) == 0)
    if same.any():  # hardly ever, and six more keys take three times as long
        order = np.lexsort((*ties, -boxes.confidence, image))
    return order


def _cluster(boxes: Detections, iou_thres: float) -> IntArray:
    """Return the cluster of each box, numbered from 0, shape (n,).

    Each round starts one cluster in every image at once, from its most confident box left, and
    gives it the boxes that it can hold. That a box takes the earliest cluster that can hold it
    makes this the same as placing the boxes one by one.
    """
    image = np.cumsum(boxes.image_id[1:] != boxes.image_id[:-1])
    image = np.concatenate([[0], image])[: len(boxes)]
    slot = _slots(image, boxes.epoch, boxes.class_id)
    cluster = np.arange(len(boxes))
    n_clusters = len(boxes)
    left = cluster
    if not image.any():  # of a single image, those that overlap no other are soon found
        left = np.flatnonzero(
            (pairwise_iou(boxes.xyxy, boxes.xyxy) >= iou_thres).sum(axis=1) > 1
        )
    while left.size:
        _, first, owner = np.unique(image[left], return_index=True, return_inverse=True)
        joins = iou(boxes.xyxy[left], boxes.xyxy[left[first]][owner]) >= iou_thres
        joins[first] = True  # a box without area overlaps nothing, not even itself
        candidates = np.flatnonzero(joins)
        _, earliest = np.unique(slot[left[candidates]], return_index=True)
        taken = candidates[earliest]
        cluster[left[taken]] = n_clusters + owner[taken]
        n_clusters += first.size
        left = np.delete(left, taken)
    numbered: IntArray = np.unique(cluster, return_inverse=True)[1]
    return numbered


def _slots(*columns: IntArray) -> IntArray:
    """Return a number for each combination of values >= 0, in ascending order, shape (n,)."""
    slot = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        slot = slot * (column.max(initial=0) + 1) + column
    return slot


@dataclass(frozen=True, slots=True)
class _Votes:
    """The boxes by cluster and class; each checkpoint has one box of a class at most.

    Args:
        rows: The boxes, those of one cluster and class beside each other, the most confident
            first, shape (n,).
        first: Where in `rows` each cluster and class begins, shape (m,).
        count: How many boxes it has, shape (m,).
        cluster: Its cluster, shape (m,).
        class_id: Its class, shape (m,).
    """

    rows: IntArray
    first: IntArray
    count: IntArray
    cluster: IntArray
    class_id: IntArray

    @staticmethod
    def of(boxes: Detections, cluster: IntArray) -> _Votes:
        """Return which boxes vote for which class of which cluster."""
        slot = _slots(cluster, boxes.class_id)
        rows = np.argsort(slot, kind="stable")
        first = np.flatnonzero(np.diff(slot[rows], prepend=-1))
        count = np.diff(first, append=len(rows))
        return _Votes(rows, first, count, cluster[rows[first]], boxes.class_id[rows[first]])

    def take(self, groups: IntArray) -> _Votes:
        """Return some of the clusters and classes, in this order."""
        count = self.count[groups]
        ends = np.cumsum(count)
        offset = np.repeat(self.first[groups] - (ends - count), count)
        rows = self.rows[np.arange(count.sum()) + offset]
        return _Votes(rows, ends - count, count, self.cluster[groups], self.class_id[groups])

    def sums(self, values: FloatArray) -> FloatArray:
        """Return the sums of `values` of boxes, compensated (Kahan, 1965), shape (m,)."""
        total, lost = np.zeros(len(self.first)), np.zeros(len(self.first))
        of_rows = values[self.rows]
        for place in range(self.count.max(initial=0)):
            there = np.flatnonzero(self.count > place)
            term = of_rows[self.first[there] + place] - lost[there]
            new = total[there] + term
            lost[there] = (new - total[there]) - term
            total[there] = new
        return total


def _fused(
    boxes: Detections, votes: _Votes, mean: FloatArray, n_epochs: int
) -> FusedDetections:
    """Return the most confident box of each cluster, and how far the checkpoints agree."""
    best = votes.rows[votes.first]
    squares = votes.sums((boxes.confidence - _spread_out(mean, votes, len(boxes))) ** 2)
    squares += (n_epochs - votes.count) * mean**2  # checkpoints that did not see it gave 0
    scores = boxes.scores
    if scores is not None and len(best):
        scores = np.add.reduceat(scores[votes.rows], votes.first) / n_epochs
    return FusedDetections(
        image_id=boxes.image_id[best],
        class_id=boxes.class_id[best],
        confidence=mean,
        confidence_std=np.sqrt(squares / max(n_epochs - 1, 1)) * (n_epochs > 1),
        votes=votes.count,
        xyxy=boxes.xyxy[best],
        box_spread=_box_spread(boxes.xyxy, votes),
        scores=scores,
        features=boxes.features,
        descriptors=boxes.descriptors,
    )


def _spread_out(of_group: FloatArray, votes: _Votes, n_boxes: int) -> FloatArray:
    """Return the value of each cluster and class at all its boxes, 0 elsewhere, shape (n,)."""
    values = np.zeros(n_boxes)
    values[votes.rows] = np.repeat(of_group, votes.count)
    return values


def _box_spread(xyxy: FloatArray, votes: _Votes) -> FloatArray:
    """Return the standard deviation of corners, the mean of the four, in pixels, shape (m,)."""
    if not len(votes.first):
        return np.zeros(0)
    own, count = xyxy[votes.rows], votes.count[:, None]
    mean = np.add.reduceat(own, votes.first) / count
    squares = np.add.reduceat((own - np.repeat(mean, votes.count, axis=0)) ** 2, votes.first)
    return np.asarray(np.sqrt(squares / np.maximum(count - 1, 1)).mean(axis=1))
