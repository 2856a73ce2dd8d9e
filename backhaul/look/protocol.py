"""What looks at images: anything that yields boxes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt


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


class Predictor(Protocol):
    """The half of a detector of the user's own that looks at images."""

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
