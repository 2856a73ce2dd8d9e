"""Match what an ensemble sees in validation images with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.geometry import pairwise_iou
from backhaul.measure.matching import match
from backhaul.values.columns import positions
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.validation import NO_CLASS, Validation


def validate(fused: FusedDetections, images: ImageSet, iou_thres: float) -> Validation:
    """Return the detections in labelled images, matched one to one as in `benchmark`.

    Args:
        fused: Detections, all of them of images in the set.
        images: Images with labels; those without are left out.
        iou_thres: IoU from which a detection matches a labelled object, in [0, 1].

    Raises:
        ValueError: If a detection is of an image that is not in the set.
    """
    known = images.labelled()
    rows = positions(fused.image_id, images.ids)
    if np.any(rows < 0):
        raise ValueError("a detection is of an image that is not in the set")
    ties = (fused.class_id, *fused.xyxy.T[::-1])
    found = fused.take(np.lexsort((*ties, -fused.confidence)))
    parts = [np.zeros((0, 4)), *_rows(found, known, iou_thres)]
    detected, actual, confidence, iou = np.concatenate(parts).T
    return Validation(
        detected=detected.astype(np.int64),
        actual=actual.astype(np.int64),
        confidence=confidence.copy(),
        iou=iou.copy(),
    )


def _rows(found: FusedDetections, images: ImageSet, iou_thres: float) -> Iterator[FloatArray]:
    """Yield the rows of each image: detected, actual, confidence, iou."""
    of_image = positions(found.image_id, images.ids)
    image: Any
    for number, image in enumerate(images.table.itertuples()):
        own = np.flatnonzero(of_image == number)
        labels = image.labels
        overlap = pairwise_iou(found.xyxy[own], labels.xyxy(image.width, image.height))
        taken = match(found.class_id[own], overlap, labels.class_id, iou_thres)
        rows = np.zeros((len(own), 4))
        rows[:, 0], rows[:, 2] = found.class_id[own], found.confidence[own]
        matched = np.flatnonzero(taken >= 0)
        rows[:, 1] = NO_CLASS
        rows[matched, 1] = labels.class_id[taken[matched]]
        rows[matched, 3] = overlap[matched, taken[matched]]
        yield rows
        missed = np.zeros((len(labels) - len(matched), 4))
        missed[:, 0] = NO_CLASS
        missed[:, 1] = np.delete(labels.class_id, taken[matched])
        yield missed
