"""Detections of a model, matched and ranked once: metrics then follow by weights of images.

What COCO counts of an image does not depend on the other images: which detections hit an object
at which IoU. Precision and recall are ratios of sums of that over images. So with weights of
images each metric is a few products of matrices, for thousands of weightings at once, as a
bootstrap needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.geometry import pairwise_iou
from backhaul.measure.gatesettings import GateMetric
from backhaul.measure.metrics import MAX_DETECTIONS
from backhaul.values.columns import positions
from backhaul.values.detections import Boxes
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

RECALLS = np.linspace(0.0, 1.0, 101)
"""At which COCO reads precision off."""
AT_50: tuple[float, ...] = (0.5,)
AT_50_TO_95: tuple[float, ...] = tuple((0.5 + 0.05 * np.arange(10)).tolist())
_DIGITS = 12
"""Of a recall that count: sums of the same weights in another order differ behind them."""


@dataclass(frozen=True, eq=False)
class _Hits:
    """The detections of one class at one IoU, the most confident first.

    Those behind the last hit change no average precision, and are left out.

    Args:
        image: The image of each hit, shape (n_hits,).
        image_seen: The image of each detection, shape (n,).
        before: Which hit it is, or comes before, shape (n,).
    """

    image: IntArray
    image_seen: IntArray
    before: IntArray

    @staticmethod
    def of(image: IntArray, is_hit: BoolArray) -> _Hits:
        """Return those of detections that are in order, shapes (n,)."""
        before: IntArray = np.cumsum(is_hit) - is_hit
        counts = before < is_hit.sum()
        return _Hits(image[is_hit], image[counts], before[counts])

    def average_precision(self, weights: FloatArray, truths: FloatArray) -> FloatArray:
        """Return average precision by weighting, shape (n_weightings,).

        Args:
            weights: Shape (n_weightings, n_images).
            truths: Weight of all objects of the class by weighting, shape (n_weightings,).
        """
        n_hits = len(self.image)
        seen = np.zeros((weights.shape[1], n_hits))
        np.add.at(seen, (self.image_seen, self.before), 1.0)
        hit = np.cumsum(weights[:, self.image], axis=1)
        detected = np.cumsum(weights @ seen, axis=1)
        precision = hit / np.where(detected > 0, detected, 1.0)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = np.round(hit / np.where(truths > 0, truths, 1.0)[:, None], _DIGITS)
        reached = np.searchsorted(RECALLS, recall, side="right")
        read_off = np.diff(reached, axis=1, prepend=0)
        found: FloatArray = (read_off * best).sum(axis=1) / len(RECALLS)
        return np.where(truths > 0, found, np.nan)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Detections of one model in n images, matched with the objects there.

    Args:
        n_truths: Objects by image and class, shape (n, n_classes).
        hits: By IoU and class, what was detected.
        n_counted: Detections from the confidence on that F1 counts, by image, shape (n,).
        n_right: Those of them that hit an object at the first IoU, shape (n,).
    """

    n_truths: FloatArray
    hits: tuple[tuple[_Hits, ...], ...]
    n_counted: FloatArray
    n_right: FloatArray

    def by_class(self, weights: FloatArray, *, first_iou: bool = False) -> FloatArray:
        """Return average precision as COCO defines it, with images that count several times.

        Args:
            weights: What each image counts, >= 0, shape (n_weightings, n).
            first_iou: Whether it is of the first IoU alone, else the mean over all.

        Returns:
            Shape (n_weightings, n_classes), in [0, 1]; NaN where a class has no object of any
            weight.
        """
        ious = self.hits[:1] if first_iou else self.hits
        truths = weights @ self.n_truths
        every = [
            [one.average_precision(weights, truths[:, c]) for c, one in enumerate(classes)]
            for classes in ious
        ]
        found: FloatArray = np.mean(every, axis=0).T
        return found

    def score(self, weights: FloatArray, metric: GateMetric) -> FloatArray:
        """Return a metric over all classes by weighting, shape (n_weightings,).

        Average precision is the mean over the classes that have an object; F1 is
        2 TP / (detections + objects) over all classes. NaN where there is no object.

        Args:
            weights: What each image counts, >= 0, shape (n_weightings, n).
            metric: The metric, for which the IoU were chosen, see `ious_of`.
        """
        if metric == "F1":
            both = weights @ (self.n_counted + self.n_truths.sum(axis=1))
            right = 2 * (weights @ self.n_right)
            return np.where(both > 0, right / np.where(both > 0, both, 1.0), np.nan)
        return mean_over_known(self.by_class(weights))


def mean_over_known(by_class: FloatArray) -> FloatArray:
    """Return the mean over classes without NaN, shape (n,); NaN where all are."""
    known = ~np.isnan(by_class)
    n = known.sum(axis=1)
    total = np.where(known, by_class, 0.0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def ious_of(metric: GateMetric) -> tuple[float, ...]:
    """Return the IoU at which a metric counts hits."""
    return AT_50_TO_95 if metric == "mAP50-95" else AT_50


@dataclass(frozen=True, eq=False)
class Matches:
    """Which of a model's detections in n images hit an object, in the order of the images.

    Args:
        image: The image of each detection, shape (m,), rising; of one image and class the most
            confident come first.
        class_id: Its class, shape (m,).
        confidence: Its confidence, shape (m,).
        is_hit: Whether it hits an object of its class at each of k IoU, shape (m, k).
        n_truths: Objects by image and class, shape (n, n_classes).
    """

    image: IntArray
    class_id: IntArray
    confidence: FloatArray
    is_hit: BoolArray
    n_truths: FloatArray

    def ranked(self, pos_thres: float) -> Ranking:
        """Rank them; ties in confidence go by the order of images.

        Args:
            pos_thres: Confidence from which F1 counts.
        """
        n, n_classes = self.n_truths.shape
        is_counted = self.confidence >= pos_thres
        is_right = is_counted & self.is_hit[:, 0]
        return Ranking(
            n_truths=self.n_truths,
            hits=tuple(
                tuple(self._hits(of_iou, class_id) for class_id in range(n_classes))
                for of_iou in self.is_hit.T
            ),
            n_counted=np.bincount(self.image[is_counted], minlength=n).astype(np.float64),
            n_right=np.bincount(self.image[is_right], minlength=n).astype(np.float64),
        )

    def _hits(self, is_hit: BoolArray, class_id: int) -> _Hits:
        rows = np.flatnonzero(self.class_id == class_id)
        rows = rows[np.argsort(-self.confidence[rows], kind="stable")]
        return _Hits.of(self.image[rows], is_hit[rows])


def match(raw: Boxes, images: ImageSet, ious: Sequence[float]) -> Matches:
    """Match detections with objects as COCO does.

    In an image, of each class, the most confident detection takes the free object of its class
    with the greatest IoU, if that is enough.

    Args:
        raw: Detections of one model, down to a low confidence, all of them in the images.
        images: Labelled images, n of them.
        ious: IoU from which a detection hits, rising.

    Raises:
        ValueError: If a detection is in none of the images.
    """
    image = positions(raw.image_id, images.ids)
    if np.any(image < 0):
        raise ValueError("a detection is of an image that is not in the set")
    order = np.lexsort((-raw.confidence, raw.class_id, image))
    group = image[order] * len(images.class_names) + raw.class_id[order]
    order = order[_place_in_group(group) < MAX_DETECTIONS]
    image, own = image[order], raw.take(order)
    thresholds = np.minimum(np.asarray(ious), 1 - 1e-10)
    is_hit = np.zeros((len(own), len(ious)), dtype=bool)
    for rows, overlap in _overlaps(own, image, images):
        is_hit[rows] = _taken(overlap, thresholds)
    return Matches(image, own.class_id, own.confidence, is_hit, _n_truths(images))


def _place_in_group(group: IntArray) -> IntArray:
    """Return the place of each element among the equal ones that it follows, shape (n,)."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    length = np.diff(np.append(starts, len(group)))
    return np.arange(len(group)) - np.repeat(starts, length)


def _overlaps(
    own: Boxes, image: IntArray, images: ImageSet
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield the detections of each class in each image, and their IoU with its objects."""
    each: Any
    edges = np.searchsorted(image, np.arange(len(images) + 1))
    for number, each in enumerate(images.table.itertuples()):
        labels: Labels = each.labels
        boxes = labels.xyxy(each.width, each.height)
        rows = np.arange(edges[number], edges[number + 1])
        for class_id in np.unique(labels.class_id).tolist():
            of_class = rows[own.class_id[rows] == class_id]
            if len(of_class):
                truths = boxes[labels.class_id == class_id]
                yield of_class, pairwise_iou(own.xyxy[of_class], truths)


def _taken(overlap: FloatArray, thresholds: FloatArray) -> BoolArray:
    """Return whether each detection hits an object at each IoU.

    Args:
        overlap: IoU of n detections, the most confident first, with m objects, shape (n, m).
        thresholds: IoU from which they hit, rising, shape (k,).

    Returns:
        Shape (n, k).
    """
    n_truths, every = overlap.shape[1], np.arange(len(thresholds))
    taken = np.zeros((len(thresholds), n_truths), dtype=bool)
    is_hit = np.zeros((len(overlap), len(thresholds)), dtype=bool)
    for row in np.flatnonzero(overlap.max(axis=1) >= thresholds[0]).tolist():
        free = np.where(taken, -1.0, overlap[row])
        best = n_truths - 1 - free[:, ::-1].argmax(axis=1)  # COCO takes the last of equal ones
        is_hit[row] = free[every, best] >= thresholds
        taken[every[is_hit[row]], best[is_hit[row]]] = True
    return is_hit


def _n_truths(images: ImageSet) -> FloatArray:
    counts = np.zeros((len(images), len(images.class_names)))
    for number, labels in enumerate(images.table["labels"]):
        np.add.at(counts[number], labels.class_id, 1.0)
    return counts
