"""Detectors for campaigns of the tests, whose numbers are the same on every machine.

A campaign names one as its `training.detector`. It starts within a second, and needs no network
to be trained: what a campaign does around its detector is seen at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from backhaul.arrays import Float32Array, FloatArray
from backhaul.learn.protocol import TrainedEpoch, TrainingTask
from backhaul.look.descriptors import describe_files
from backhaul.look.protocol import PredictionSettings
from backhaul.values.labels import Labels

SIDE = 8
CONTRAST, LEAST_PX = 45, 10  # of what stands out of the grey
EPOCHS = 3
"""An epoch learns from every third image."""

Pattern: TypeAlias = int
"""What is drawn in a box, as one bit a cell of a grid."""


class Templates:
    """Finds what stands out, and names it as the most similar pattern that it has learned.

    It reckons in whole numbers, and learns from originals alone: a copy's pixels may differ by
    one from machine to machine. Its weights are the patterns and their classes.

    Args:
        epoch_s: Least time of an epoch, for tests that must meet a training under way.
        weights_bytes: Least size of a checkpoint, for tests of disks that have no room for it.
    """

    def __init__(self, epoch_s: float = 0.0, weights_bytes: int = 0) -> None:
        self.epoch_s, self.weights_bytes = epoch_s, weights_bytes

    def train(self, task: TrainingTask) -> Iterator[TrainedEpoch]:
        """Yield epochs that know more and more patterns."""
        known = json.loads(task.start.read_text()) if task.start else []
        own = task.train.table[task.train.table["copy_of"].isna()]
        weights = task.folder / "weights.json"
        for epoch in range(task.first_epoch, task.first_epoch + task.epochs):
            time.sleep(self.epoch_s)
            for row in own.iloc[epoch % EPOCHS :: EPOCHS].itertuples():
                known += _learned(Path(str(row.uri)), cast(Labels, row.labels))
            weights.write_text(json.dumps(known).ljust(self.weights_bytes), encoding="utf-8")
            yield TrainedEpoch(1 / (1 + len(known)), 2 / (1 + len(known)), weights, 1 / epoch)

    def predict(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterator[FloatArray]:
        """Yield what stands out of each image, as similar as it is."""
        known = json.loads(weights.read_text())
        for image in images:
            grey = _read(image)
            found = [(box, *_named(_pattern(grey, box), known)) for box in _boxes(grey)]
            rows = [[*box, similar, class_id] for box, similar, class_id in found]
            yield np.array(rows, dtype=np.float64).reshape(-1, 6)


class Blind(Templates):
    """Learns as the other one does, and sees nothing at all."""

    def predict(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterator[FloatArray]:
        """Yield no box, image after image."""
        for _ in images:
            yield np.empty((0, 6))


def _read(image: Path) -> npt.NDArray[np.int64]:
    content = np.frombuffer(image.read_bytes(), dtype=np.uint8)
    grey = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    assert grey is not None, image
    return np.asarray(grey, dtype=np.int64)


def _boxes(grey: npt.NDArray[np.int64]) -> list[tuple[int, int, int, int]]:
    """Return the corners of connected parts that stand out of the grey, in pixels."""
    middle = int(np.sort(grey, axis=None)[grey.size // 2])
    stands_out = (np.abs(grey - middle) > CONTRAST).astype(np.uint8)
    _, _, parts, _ = cv2.connectedComponentsWithStats(stands_out, connectivity=8)
    return [
        (int(x), int(y), int(x + width), int(y + height))
        for x, y, width, height, area in parts[1:]
        if area >= LEAST_PX
    ]


def _pattern(grey: npt.NDArray[np.int64], box: tuple[int, int, int, int]) -> Pattern:
    x1, y1, x2, y2 = box
    rows = y1 + (2 * np.arange(SIDE) + 1) * (y2 - y1) // (2 * SIDE)
    columns = x1 + (2 * np.arange(SIDE) + 1) * (x2 - x1) // (2 * SIDE)
    middle = int(np.sort(grey, axis=None)[grey.size // 2])
    cells = np.abs(grey[np.ix_(rows, columns)] - middle) > CONTRAST
    return int("".join("01"[int(cell)] for cell in cells.ravel()), 2)


def _learned(image: Path, labels: Labels) -> list[tuple[Pattern, int]]:
    grey = _read(image)
    height, width = grey.shape
    learned = []
    for class_id, (cx, cy, w, h) in zip(
        labels.class_id.tolist(), labels.xywhn.tolist(), strict=True
    ):
        x1, x2 = round((cx - w / 2) * width), round((cx + w / 2) * width)
        y1, y2 = round((cy - h / 2) * height), round((cy + h / 2) * height)
        if x2 > x1 and y2 > y1:
            learned.append((_pattern(grey, (x1, y1, x2, y2)), int(class_id)))
    return learned


def _named(pattern: Pattern, known: Sequence[tuple[Pattern, int]]) -> tuple[float, int]:
    """Return how similar the nearest pattern is, in [0, 1], and its class."""
    distances = [((pattern ^ other).bit_count(), class_id) for other, class_id in known]
    cells, class_id = min(distances, default=(SIDE * SIDE, 0))
    return 1 - cells / SIDE**2, class_id


class Seeing(Templates):
    """Finds what the other one does, and features are descriptors."""

    def features(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterator[Float32Array]:
        """Yield the descriptor of each image."""
        for image in images:
            yield describe_files([str(image)])[0]
