"""Frames by which a model is judged that nodes run: drawn by chance, and seen by it there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from backhaul.arrays import BoolArray, FloatArray
from backhaul.inbox.files import LOG_COLUMNS, fused_of
from backhaul.inbox.log import read_log
from backhaul.inbox.origin import SHORT_DIGEST, origins_of
from backhaul.measure.explored import LEAST_PROBABILITY
from backhaul.values.arrivals import EXPLORED
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections

ORIGINAL = "original"
"""In what form a frame was sent whose picture is the one that the node saw."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFrames:
    """Frames that chance drew while a model looked.

    Args:
        table: Columns ``LOG_COLUMNS``, in order of arrival, n rows.
        weight: How many frames each stands for, 1 / probability, shape (n,).
        is_known: Of which the node's detections are known, in the picture that it sent.
    """

    table: pd.DataFrame
    weight: FloatArray
    is_known: BoolArray

    def __len__(self) -> int:
        return len(self.table)

    def of(self, image_id: Collection[str]) -> DrawnFrames:
        """Return some of the frames."""
        rows = self.table["image_id"].isin(set(image_id)).to_numpy()
        table = self.table[rows].reset_index(drop=True)
        return DrawnFrames(table, self.weight[rows], self.is_known[rows])

    def seen(self, class_names: tuple[str, ...]) -> FusedDetections:
        """Return what nodes saw in the frames whose detections are known."""
        return fused_of(self.table[self.is_known], class_names)


def drawn_frames(
    root: str, model: str, after: int, but: Collection[str] = frozenset()
) -> DrawnFrames:
    """Return the frames that chance drew while a model looked, each once.

    Args:
        root: Root of the store.
        model: Digest of the model.
        after: Entries of the inbox's log up to this one are not read.
        but: Frames that are left out.
    """
    tables = [table for _, table in read_log(root, after)]
    rows = pd.concat(tables, ignore_index=True) if tables else _no_rows()
    origins = origins_of(rows)
    drawn = np.array(
        [
            each is not None
            and each.why == EXPLORED
            and each.probability > 0
            and each.model == model[:SHORT_DIGEST]
            for each in origins
        ],
        dtype=bool,
    )
    drawn &= ~rows["image_id"].isin(set(but)).to_numpy(dtype=bool)
    kept = [each for each, is_drawn in zip(origins, drawn, strict=True) if each and is_drawn]
    table = rows[drawn].reset_index(drop=True)
    probability = np.array([each.probability for each in kept], dtype=np.float64)
    is_original = names_of(each.recipe for each in kept) == ORIGINAL
    return DrawnFrames(
        table,
        1 / np.maximum(probability, LEAST_PROBABILITY),
        np.asarray(is_original & table["detections"].notna().to_numpy(), dtype=bool),
    )


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame(columns=list(LOG_COLUMNS))
