"""Columns of equal length, of which detections, offers and selections consist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from backhaul.arrays import IntArray, NameArray

if TYPE_CHECKING:
    import pandas as pd


Schema: TypeAlias = Mapping[
    str, Literal["text", "text?", "int32", "int64", "float64", "labels?"]
]
"""Types of columns by name, in order; those that end in ``?`` may have no value."""


def names_of(texts: Iterable[Any]) -> NameArray:
    """Return texts as an array, shape (n,)."""
    every = [str(text) for text in texts]
    column = np.empty(len(every), dtype=object)
    column[:] = every
    return column


def positions(texts: NameArray, among: Iterable[str]) -> IntArray:
    """Return the position of each text in `among`, -1 if it is not there, shape (n,)."""
    place = {text: i for i, text in enumerate(among)}
    if not len(texts):
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], texts[1:] != texts[:-1]]))  # few look-ups
    found = np.fromiter(map(place.get, texts[starts].tolist(), repeat(-1)), dtype=np.int64)
    return np.repeat(found, np.diff(starts, append=len(texts)))


def require_length(n: int, columns: Mapping[str, np.ndarray[Any, Any] | None]) -> None:
    """Do nothing if all columns that are not None have `n` rows.

    Raises:
        ValueError: If one has another number.
    """
    for name, column in columns.items():
        if column is not None and column.shape[:1] != (n,):
            raise ValueError(f"expected {name} with {n} rows, got shape {column.shape}")


def frame_of(columns: Mapping[str, Any], texts: Sequence[str]) -> pd.DataFrame:
    """Return columns as a data frame, with those named in `texts` as text."""
    import pandas as pd  # noqa: PLC0415 - only who asks for a frame pays for pandas

    known = {
        name: pd.Series(column, dtype="str") if name in texts else column
        for name, column in columns.items()
    }
    return pd.DataFrame(known)
