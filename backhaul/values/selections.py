"""What is sent of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from backhaul.values.tables import require_columns

SELECTION_COLUMNS = ("image_id", "size_bytes", "weight", "method", "reason")


@dataclass(frozen=True, slots=True)
class Selection:
    """The images to send home.

    Args:
        table: Columns ``SELECTION_COLUMNS``, in the order the images were drawn: ``weight`` the
            weight with which an image was drawn, ``method`` the method's name, ``reason`` in
            words why it was drawn (its class, its bin, or that it filled what was left).

    Raises:
        ValueError: If a column is missing or an image_id repeats.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        require_columns(self.table, SELECTION_COLUMNS)
        if not self.table["image_id"].is_unique:
            raise ValueError("image_id must be unique")

    def __len__(self) -> int:
        return len(self.table)
