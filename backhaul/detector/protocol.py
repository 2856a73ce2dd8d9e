"""What a detector of the user's own promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from backhaul.config import Training
from backhaul.types import ImageSet


@dataclass(frozen=True, slots=True)
class PredictionSettings:
    """How raw outputs become boxes.

    Args:
        img_size: Side of the square input, pixels.
        conf_thres: Boxes must have more confidence than this.
        nms_thres: IoU above which a box of the same class is suppressed by a better one.
        max_detections: Most boxes an image and checkpoint.
        batch_size: Images of one forward pass.
        device: ``auto``, ``cpu`` or a GPU's number.
        threads: CPU threads.
    """

    img_size: int
    conf_thres: float
    nms_thres: float
    max_detections: int = 300
    batch_size: int = 16
    device: str = "auto"
    threads: int = 2


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What a detector is to learn.

    Args:
        train: Images to learn from, copies included; ``uri`` is a path on this disk.
        valid: Images on which the validation loss is measured.
        class_names: Names of the classes, in the order of their ids.
        settings: The part ``training`` of the config; ``settings.model`` is a word of the
            user's.
        epochs: Epochs to yield; fewer may be asked for.
        start: Weights to go on from, as they were yielded before; None = new weights.
        first_epoch: Number of the first epoch, from 1, counted over all trainings before.
        folder: Folder for files; it is removed after the training.
        seed: Seed of everything that is random, other than for weights that are gone on from.
    """

    train: ImageSet
    valid: ImageSet
    class_names: tuple[str, ...]
    settings: Training
    epochs: int
    start: Path | None
    first_epoch: int
    folder: Path
    seed: int


@dataclass(frozen=True, slots=True)
class TrainedEpoch:
    """One epoch that is over.

    Args:
        train_loss: Loss on the training images, mean over the epoch.
        valid_loss: Loss on the validation images; None if it was not measured.
        weights: A file with all that is needed to predict, and to go on.
        mAP50: On the validation images, if it was measured.
    """

    train_loss: float
    valid_loss: float | None
    weights: Path
    mAP50: float | None = None  # noqa: N815 - the metric's name everywhere


class Detector(Protocol):
    """A detector that is trained and run in place of Ultralytics' (``training.detector``)."""

    def train(self, task: TrainingTask) -> Iterator[TrainedEpoch]:
        """Yield after each epoch, until all of ``task.epochs`` are done or nobody asks on."""
        ...

    def predict(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterable[npt.NDArray[Any]]:
        """Yield the boxes of each image after non-maximum suppression, in order.

        Each is an array of shape (n, 6): x1, y1, x2, y2 in pixels of the image, confidence in
        [0, 1], class_id.
        """
        ...
