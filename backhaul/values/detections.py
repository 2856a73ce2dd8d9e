"""What checkpoints see in images."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from backhaul.values.tables import require_columns

XYXY = ("x1", "y1", "x2", "y2")
DETECTION_COLUMNS = ("image_id", "epoch", "class_id", "confidence", *XYXY)
FUSED_COLUMNS = ("image_id", "class_id", "confidence", "confidence_std", "votes", *XYXY)


@dataclass(frozen=True, slots=True)
class Detections:
    """What single checkpoints see, one row a box.

    Args:
        table: Columns ``DETECTION_COLUMNS``: ``epoch`` of the checkpoint, ``confidence`` in
            [0, 1] (objectness times class probability where a model has both), corners in
            pixels of the image as displayed.

    Raises:
        ValueError: If a column is missing or a confidence is out of range.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        require_columns(self.table, DETECTION_COLUMNS)
        _require_probabilities(self.table["confidence"])


@dataclass(frozen=True, slots=True)
class FusedDetections:
    """What an ensemble of checkpoints sees, one row an object.

    Args:
        table: Columns ``FUSED_COLUMNS``: ``confidence`` is the mean over the checkpoints,
            ``confidence_std`` its sample standard deviation (0 for one checkpoint), ``votes``
            the number of checkpoints that saw the object, corners in pixels.

    Raises:
        ValueError: If a column is missing or a confidence is out of range.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        require_columns(self.table, FUSED_COLUMNS)
        _require_probabilities(self.table["confidence"])


def _require_probabilities(values: pd.Series[float]) -> None:
    if not values.between(0, 1).all():
        raise ValueError("confidence must be in [0, 1]")
