"""Interface of a detector of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backhaul.learn.settings import Training
from backhaul.look.protocol import OwnPredictor
from backhaul.values.images import ImageSet


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """The data and settings of one training of a user's detector.

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
    """A finished epoch.

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


class Detector(OwnPredictor, Protocol):
    """A detector that is trained and run in place of Ultralytics' (``training.detector``)."""

    def train(self, task: TrainingTask) -> Iterator[TrainedEpoch]:
        """Yield after each epoch, until ``task.epochs`` are done or iteration stops."""
        ...
