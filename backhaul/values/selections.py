"""The images of a batch that a method sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from backhaul.arrays import FloatArray, IntArray, NameArray
from backhaul.values.columns import Schema, frame_of, names_of, require_length

if TYPE_CHECKING:
    import pandas as pd

SELECTION_SCHEMA: Schema = {
    "image_id": "text",
    "size_bytes": "int64",
    "weight": "float64",
    "method": "text",
    "reason": "text",
}
SELECTION_COLUMNS = tuple(SELECTION_SCHEMA)


@dataclass(frozen=True, eq=False)
class Selection:
    """The images to send home, in the order they were drawn, in columns of n rows.

    Args:
        image_id: The images, each once.
        size_bytes: What sending each costs.
        weight: The weight with which it was drawn.
        method: The method's name.
        reason: In words why it was drawn (its class, its bin, or that it filled what was left).

    Raises:
        ValueError: If lengths differ or an image_id repeats.
    """

    image_id: NameArray
    size_bytes: IntArray
    weight: FloatArray
    method: NameArray
    reason: NameArray

    def __post_init__(self) -> None:
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        require_length(len(self.image_id), columns)
        if len(set(self.image_id.tolist())) != len(self.image_id):
            raise ValueError("image_id must be unique")

    def __len__(self) -> int:
        return len(self.image_id)

    @staticmethod
    def concat(parts: Sequence[Selection]) -> Selection:
        """Return several selections, at least one, as one after the other."""
        columns = [field.name for field in fields(Selection)]
        joined = (np.concatenate([getattr(each, name) for each in parts]) for name in columns)
        return Selection(*joined)

    @staticmethod
    def from_table(table: pd.DataFrame) -> Selection:
        """Return the selection of a data frame with ``SELECTION_COLUMNS``.

        Raises:
            ValueError: If it has other columns, or an image_id repeats.
        """
        if tuple(table.columns) != SELECTION_COLUMNS:
            raise ValueError(
                f"expected columns {SELECTION_COLUMNS}, got {tuple(table.columns)}"
            )
        return Selection(
            image_id=names_of(table["image_id"]),
            size_bytes=table["size_bytes"].to_numpy(dtype=np.int64),
            weight=table["weight"].to_numpy(dtype=np.float64),
            method=names_of(table["method"]),
            reason=names_of(table["reason"]),
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """The selection as a data frame with ``SELECTION_COLUMNS``."""
        columns = {name: getattr(self, name) for name in SELECTION_COLUMNS}
        texts = [name for name, kind in SELECTION_SCHEMA.items() if kind == "text"]
        return frame_of(columns, texts=texts)
