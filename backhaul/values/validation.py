"""What an ensemble makes of labelled images that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.values.columns import Schema, frame_of, require_length

if TYPE_CHECKING:
    import pandas as pd

NO_CLASS = -1
"""In place of a class: nothing was detected, or there is no labelled object."""

VALIDATION_SCHEMA: Schema = {
    "detected": "int64",
    "actual": "int64",
    "confidence": "float64",
    "iou": "float64",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Validation:
    """Detections in validation images and the labelled objects that they match, in n rows.

    One row a detection, with the object that it matches if there is one, and one for each
    object that was missed. It says nothing of single images, and is small: a node can hold it.

    Args:
        detected: Class that was detected, `NO_CLASS` for a missed object, shape (n,).
        actual: Class of the labelled object, `NO_CLASS` for a false alarm, shape (n,).
        confidence: Mean over the checkpoints, in [0, 1], 0 for a missed object, shape (n,).
        iou: IoU of the box with that of the object, in [0, 1], 0 where one is missing,
            shape (n,).

    Raises:
        ValueError: If the lengths differ.
    """

    detected: IntArray
    actual: IntArray
    confidence: FloatArray
    iou: FloatArray

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in VALIDATION_SCHEMA}
        require_length(len(self.detected), columns)

    def __len__(self) -> int:
        return len(self.detected)

    @property
    def is_detection(self) -> BoolArray:
        """Which rows are detections, shape (n,)."""
        found: BoolArray = self.detected != NO_CLASS
        return found

    @property
    def is_hit(self) -> BoolArray:
        """Which rows are detections that match an object of their class, shape (n,)."""
        hit: BoolArray = self.is_detection & (self.detected == self.actual)
        return hit

    @staticmethod
    def from_table(table: pd.DataFrame) -> Validation:
        """Return the rows of a data frame with the columns of ``VALIDATION_SCHEMA``."""
        columns: dict[str, Any] = {
            name: table[name].to_numpy(dtype=kind) for name, kind in VALIDATION_SCHEMA.items()
        }
        return Validation(**columns)

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a data frame with the columns of ``VALIDATION_SCHEMA``."""
        return frame_of({name: getattr(self, name) for name in VALIDATION_SCHEMA}, texts=())
