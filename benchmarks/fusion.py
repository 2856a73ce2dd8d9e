"""Fusion of an ensemble against weighted boxes fusion of `ensemble_boxes`.

Both get the same boxes in the form they work on: ours one table, theirs lists of normalised
arrays, an image a call. They do not give the same result: theirs averages corners and clusters
each class by itself.

By the profile ours spends half its time sorting the table, so that the result does not depend
on the order of rows, a quarter clustering (IoUs a twelfth) and the rest on groups.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from ensemble_boxes import weighted_boxes_fusion

from backhaul.arrays import FloatArray, IntArray
from backhaul.look.fusion import fuse
from backhaul.values.detections import DETECTION_COLUMNS, XYXY, Detections
from benchmarks.measure import Row, compare

IMAGES, CHECKPOINTS, OBJECTS, CLASSES = 2_000, 5, 20, 5
SIZE_PX = 640
IOU_THRES = 0.5
REPEATS = 3
LIMIT = "half is putting the boxes in order; IoUs are a twelfth"


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the images."""
    xyxyn, confidence, class_id = _scenes(max(1, round(IMAGES * scale)), rng)
    detections = _table(xyxyn, confidence, class_id)
    ours = partial(fuse, detections, range(1, CHECKPOINTS + 1), IOU_THRES)
    theirs = partial(_fuse_each_image, xyxyn, confidence, class_id)
    name = f"fusion, {len(xyxyn):,} images x {CHECKPOINTS} checkpoints x {OBJECTS} boxes"
    return [Row(name, *compare(ours, theirs, REPEATS), "ensemble-boxes (WBF)", LIMIT)]


def _scenes(n_images: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return normalised corners, confidences and classes by image, checkpoint and object."""
    shape = (n_images, CHECKPOINTS, OBJECTS)
    objects = (n_images, 1, OBJECTS)
    centre = rng.uniform(0.1, 0.9, (*objects, 2)) + rng.normal(0, 0.004, (*shape, 2))
    size = rng.uniform(0.05, 0.2, (*objects, 2)) * rng.uniform(0.9, 1.1, (*shape, 2))
    xyxyn = np.concatenate([centre - size / 2, centre + size / 2], axis=-1).clip(0, 1)
    class_id = np.broadcast_to(rng.integers(0, CLASSES, objects), shape)
    return xyxyn, rng.uniform(0.1, 1.0, shape), class_id


def _table(xyxyn: FloatArray, confidence: FloatArray, class_id: IntArray) -> Detections:
    image, epoch, _ = np.indices(confidence.shape)
    names = np.array([f"{i:032x}" for i in range(len(xyxyn))])
    table = pd.DataFrame(
        {
            "image_id": names[image.ravel()],
            "epoch": epoch.ravel() + 1,
            "class_id": class_id.ravel(),
            "confidence": confidence.ravel(),
        }
    )
    table[list(XYXY)] = xyxyn.reshape(-1, 4) * SIZE_PX
    return Detections.from_table(table[list(DETECTION_COLUMNS)])


def _fuse_each_image(xyxyn: FloatArray, confidence: FloatArray, class_id: IntArray) -> None:
    for boxes, scores, labels in zip(xyxyn, confidence, class_id, strict=True):
        weighted_boxes_fusion(list(boxes), list(scores), list(labels), iou_thr=IOU_THRES)
