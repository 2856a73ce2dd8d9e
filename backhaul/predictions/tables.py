"""Our own Parquet: detections by epoch, or fused, as a campaign's store has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.errors import InputError
from backhaul.predictions.found import MOST_CLASS, Collected, Look, outside
from backhaul.predictions.images import Images
from backhaul.untrusted import MOST_TABLE_BYTES, one_line, read_bytes
from backhaul.values.columns import names_of, positions
from backhaul.values.detections import (
    DETECTION_COLUMNS,
    FUSED_COLUMNS,
    Detections,
    FusedDetections,
)
from backhaul.values.features import Features


def read_table(path: Path, images: Images) -> Look:
    """Return the boxes in a Parquet file.

    Images are those with the ids, or the names, in the column ``image_id``.

    Args:
        path: The file.
        images: The images that they may be of.

    Raises:
        InputError: If it is no table of detections, or a number in it cannot be.
        ModuleNotFoundError: If pyarrow is not installed.
    """
    from backhaul.storage.parquet import from_arrow, parquet_in  # noqa: PLC0415 - an extra's

    data = read_bytes(path, MOST_TABLE_BYTES)
    try:
        table = parquet_in(data)
        kind: Any = Detections if "epoch" in table.column_names else FusedDetections
        seen: Any = from_arrow(kind, table)
        _require_possible(seen)
    except Exception as error:  # whatever a reader raises where it meets what nobody expected
        raise InputError(
            f"{path}: {one_line(str(error))}; expected a Parquet table of detections with the "
            f"columns {', '.join(DETECTION_COLUMNS)}, or {', '.join(FUSED_COLUMNS)}"
        ) from None
    return _known(str(path), seen, images)


def _require_possible(seen: Detections | FusedDetections) -> None:
    x1, y1, x2, y2 = seen.xyxy.T
    if not np.isfinite(seen.xyxy).all() or np.any(x2 < x1) or np.any(y2 < y1):
        raise ValueError("a box has numbers that are not finite, or a negative width or height")
    if np.any((seen.class_id < 0) | (seen.class_id > MOST_CLASS)):
        raise ValueError(f"a class is out of range 0..{MOST_CLASS:,}")
    if seen.scores is not None and not np.all((seen.scores >= 0) & (seen.scores <= 1)):
        raise ValueError("a score of a class is not in [0, 1]")
    if seen.features is not None and not np.isfinite(seen.features.vectors).all():
        raise ValueError("a feature of an image is not finite")


def _known(place: str, seen: Detections | FusedDetections, images: Images) -> Look:
    """Return the boxes of images that are there, with the ids of these, cut off at edges."""
    found = Collected(place, images)
    vectors = seen.features
    names = dict.fromkeys(seen.image_id.tolist())
    if vectors is not None:
        names |= dict.fromkeys(vectors.image_id.tolist())
    rows = {name: found.image(name, images.row_of_text(name)) for name in names}
    found.require_some()
    own = {name: images.files[row] for name, row in rows.items() if row is not None}
    kept: Any = replace(seen, features=None, descriptors=None)
    kept = kept.take(positions(kept.image_id, own) >= 0)
    sides = [[own[name].width, own[name].height] * 2 for name in kept.image_id.tolist()]
    xyxy = np.clip(kept.xyxy, 0.0, np.array(sides, dtype=np.float64).reshape(-1, 4))
    image_id = names_of(own[name].image_id for name in kept.image_id.tolist())
    kept = replace(kept, image_id=image_id, xyxy=xyxy)
    area = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    if vectors is not None:
        there = vectors.only([*own])
        ids = names_of(own[name].image_id for name in there.image_id.tolist())
        kept = replace(kept, features=Features(ids, there.vectors))
    looked = np.unique(seen.epoch) if isinstance(seen, Detections) else ()
    notes = found.notes()
    if n_outside := int(np.count_nonzero(~area)):
        notes += (outside(place, n_outside),)
    return Look(place, kept.take(area), notes, max(len(looked), 1))
