"""Fusion of an ensemble against weighted boxes fusion of `ensemble_boxes`.

Both get the same boxes in the form they work on: ours one table, theirs lists of normalised
arrays, an image a call. They do not give the same result: theirs averages corners and clusters
each class by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
from ensemble_boxes import weighted_boxes_fusion

from backhaul.fusion import fuse
from backhaul.types import DETECTION_COLUMNS, XYXY, Detections, FloatArray, IntArray

IMAGES, CHECKPOINTS, OBJECTS, CLASSES = 2_000, 5, 20, 5
SIZE_PX = 640
IOU_THRES = 0.5
REPEATS = 3


def rows(rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """Return what was measured: its name, our seconds, the peer's seconds (medians)."""
    xyxyn, confidence, class_id = _scenes(rng)
    detections = _table(xyxyn, confidence, class_id)
    ours = partial(fuse, detections, range(1, CHECKPOINTS + 1), IOU_THRES)
    theirs = partial(_fuse_each_image, xyxyn, confidence, class_id)
    times = [(_seconds(ours), _seconds(theirs)) for _ in range(REPEATS)]
    name = f"fusion, {IMAGES:,} images x {CHECKPOINTS} checkpoints x {OBJECTS} boxes"
    return [(name, median(t for t, _ in times), median(t for _, t in times))]


def _scenes(rng: np.random.Generator) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return normalised corners, confidences and classes by image, checkpoint and object."""
    shape = (IMAGES, CHECKPOINTS, OBJECTS)
    objects = (IMAGES, 1, OBJECTS)
    centre = rng.uniform(0.1, 0.9, (*objects, 2)) + rng.normal(0, 0.004, (*shape, 2))
    size = rng.uniform(0.05, 0.2, (*objects, 2)) * rng.uniform(0.9, 1.1, (*shape, 2))
    xyxyn = np.concatenate([centre - size / 2, centre + size / 2], axis=-1).clip(0, 1)
    class_id = np.broadcast_to(rng.integers(0, CLASSES, objects), shape)
    return xyxyn, rng.uniform(0.1, 1.0, shape), class_id


def _table(xyxyn: FloatArray, confidence: FloatArray, class_id: IntArray) -> Detections:
    image, epoch, _ = np.indices(confidence.shape)
    names = np.array([f"{i:032x}" for i in range(IMAGES)])
    table = pd.DataFrame(
        {
            "image_id": names[image.ravel()],
            "epoch": epoch.ravel() + 1,
            "class_id": class_id.ravel(),
            "confidence": confidence.ravel(),
        }
    )
    table[list(XYXY)] = xyxyn.reshape(-1, 4) * SIZE_PX
    return Detections(table[list(DETECTION_COLUMNS)])


def _fuse_each_image(xyxyn: FloatArray, confidence: FloatArray, class_id: IntArray) -> None:
    for boxes, scores, labels in zip(xyxyn, confidence, class_id, strict=True):
        weighted_boxes_fusion(list(boxes), list(scores), list(labels), iou_thr=IOU_THRES)


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
