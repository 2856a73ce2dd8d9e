"""Labelled images and what models detect in them, made up for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

SIZE_PX = 100
CLASSES = ("cat", "dog", "owl")


def images_with(boxes: list[FloatArray], classes: tuple[str, ...] = CLASSES) -> ImageSet:
    """Return images of so many objects: rows of class, x1, y1, x2, y2, in pixels."""
    rows = []
    for number, truth in enumerate(boxes):
        labels = Labels.from_xyxy(truth[:, 0].astype(np.int64), truth[:, 1:], SIZE_PX, SIZE_PX)
        name = f"i{number:05d}"
        rows.append((name, f"{name}.jpg", SIZE_PX, SIZE_PX, 1, None, labels, None, None))
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), classes)


def scenes(rng: np.random.Generator, n: int, n_classes: int = 3) -> ImageSet:
    """Return n images of up to five objects of these classes."""
    boxes = []
    for _ in range(n):
        low = rng.uniform(0, 60, (rng.integers(0, 6), 2))
        corners = np.hstack([low, low + rng.uniform(10, 40, low.shape)])
        boxes.append(np.column_stack([rng.integers(0, n_classes, len(low)), corners]))
    return images_with(boxes, tuple(f"class {k}" for k in range(n_classes)))


def seen_by(
    rng: np.random.Generator, images: ImageSet, skill: float = 0.7, n_wrong: int = 4
) -> Detections:
    """Return what a model detects that finds each object with probability `skill`.

    It shifts boxes a little, is sometimes wrong about the class, and sees `n_wrong` things in
    each image that are not there; it is more confident where it is right. No two confidences
    are equal.
    """
    n_classes, rows = len(images.class_names), []
    for name, labels in zip(images.ids, images.table["labels"], strict=True):
        corners = labels.xyxy(SIZE_PX, SIZE_PX)
        found = rng.random(len(labels)) < skill
        for class_id, box in zip(labels.class_id[found], corners[found], strict=True):
            said = class_id if rng.random() < 0.9 else rng.integers(n_classes)
            rows.append((name, said, rng.beta(4, 2), *(box + rng.uniform(-4, 4, 4))))
        for _ in range(n_wrong):
            low = rng.uniform(0, 60, 2)
            box = (*low, *(low + rng.uniform(10, 40, 2)))
            rows.append((name, rng.integers(n_classes), rng.beta(1.5, 4), *box))
    return detections(rows)


def detections(rows: Sequence[tuple[Any, ...]], epoch: int = 1) -> Detections:
    """Return detections: rows of image, class, confidence, x1, y1, x2, y2."""
    name, class_id, confidence, *corners = (list(c) for c in zip(*rows, strict=True))
    return Detections(
        image_id=names_of(name),
        class_id=np.array(class_id, dtype=np.int64),
        confidence=np.array(confidence, dtype=np.float64),
        xyxy=np.array(corners, dtype=np.float64).T,
        epoch=np.full(len(rows), epoch, dtype=np.int64),
    )
