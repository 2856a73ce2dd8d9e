"""Checks shared by the values that contain a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def require_columns(table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Do nothing if a table has exactly these columns, in this order.

    Raises:
        ValueError: If it has others.
    """
    if tuple(table.columns) != columns:
        raise ValueError(f"expected columns {columns}, got {tuple(table.columns)}")
