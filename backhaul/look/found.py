"""Detections of several checkpoints in several images, collected as they are found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backhaul.arrays import Float32Array, FloatArray, NameArray
from backhaul.look.letterbox import Letterbox
from backhaul.values.detections import Detections, VectorNeed
from backhaul.values.features import Features

BOX_COLUMNS = 6
"""x1, y1, x2, y2 in pixels of the square, confidence, class_id; maybe the scores follow."""


class Found:
    """Detections found so far.

    Args:
        n_classes: How many classes there are.
    """

    def __init__(self, n_classes: int) -> None:
        self._rows: list[FloatArray] = [np.zeros((0, 8))]
        self._scores: list[FloatArray] = [np.zeros((0, n_classes))]

    def add(self, image: int, epoch: int, boxed: Letterbox, boxes: Float32Array) -> None:
        """Add the detections of one checkpoint in one image.

        Args:
            image: Number of the image.
            epoch: Epoch of the checkpoint.
            boxed: The image.
            boxes: What non-maximum suppression left, columns as `BOX_COLUMNS` says.
        """
        rows = np.empty((len(boxes), 8))
        rows[:, :2] = image, epoch
        rows[:, 2] = boxes[:, 5]
        rows[:, 3] = boxes[:, 4].clip(0, 1)
        rows[:, 4:] = boxed.in_image(boxes[:, :4])
        self._rows.append(rows)
        if boxes.shape[1] > BOX_COLUMNS:
            self._scores.append(boxes[:, BOX_COLUMNS:].astype(np.float64).clip(0, 1))

    def detections(
        self, names: NameArray, vectors: Mapping[VectorNeed, Float32Array], *, scores: bool
    ) -> Detections:
        """Return all that was found.

        Args:
            names: Names of the images, in the order of their numbers.
            vectors: Vectors of all of them, by what they are.
            scores: Whether the score of each class was found with each box.
        """
        rows = np.concatenate(self._rows)
        return Detections(
            image_id=names[rows[:, 0].astype(np.int64)],
            epoch=rows[:, 1].astype(np.int64),
            class_id=rows[:, 2].astype(np.int64),
            confidence=rows[:, 3].copy(),
            xyxy=rows[:, 4:].copy(),
            scores=np.concatenate(self._scores) if scores else None,
            **{name: Features(names, each) for name, each in vectors.items()},
        )
