"""Predictors: objects that run checkpoints over images and return boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy.typing as npt

from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import NO_NEEDS, Detections, Need
from backhaul.values.localimages import LocalImages

OnProgress: TypeAlias = Callable[[int, int], None]
"""Called with (looks done, looks in all)."""


@dataclass(frozen=True, slots=True)
class PredictionSettings:
    """How a detector's raw outputs become boxes.

    Args:
        img_size: Side of the square input, pixels.
        conf_thres: Boxes must have more confidence than this.
        nms_thres: IoU above which a box of the same class is suppressed by a better one.
        max_detections: Most boxes an image and checkpoint.
        batch_size: Images of one forward pass.
        device: ``auto``, ``cpu`` or a GPU's number.
        threads: CPU threads.
        needs: What is wanted beside boxes.
    """

    img_size: int
    conf_thres: float
    nms_thres: float
    max_detections: int = 300
    batch_size: int = 16
    device: str = "auto"
    threads: int = 2
    needs: frozenset[Need] = NO_NEEDS


class Predictor(Protocol):
    """Runs checkpoints over images."""

    def predict(
        self,
        images: LocalImages,
        checkpoints: Sequence[LocalCheckpoint],
        settings: PredictionSettings,
        on_progress: OnProgress,
    ) -> Detections:
        """Return the detections of each checkpoint, after non-maximum suppression.

        Args:
            images: The images.
            checkpoints: Checkpoints with distinct epochs, the last one last.
            settings: How outputs become boxes, and what is needed beside them. Features are
                those of the last checkpoint, descriptors those of the images.
            on_progress: Called as the work goes on.

        Raises:
            InputError: If an image cannot be read, a checkpoint is not what it should be, or
                what is needed cannot be had.
        """
        ...


class OwnPredictor(Protocol):
    """The part of a detector of the user's own that predicts boxes.

    For a method that needs features it has a method ``features`` too, with the same arguments,
    which yields a vector for each image, all of one length.
    """

    def predict(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterable[npt.NDArray[Any]]:
        """Yield the boxes of each image after non-maximum suppression, in order.

        Each is an array of shape (n, 6): x1, y1, x2, y2 in pixels of the image, confidence in
        [0, 1], class_id; or of shape (n, 6 + n_classes), with the score of every class behind.

        Args:
            weights: File of weights, as yielded by the training.
            images: Image files.
            class_names: Names of the classes, in the order of their ids.
            settings: How outputs become boxes, and what is needed besides boxes.
        """
        ...
