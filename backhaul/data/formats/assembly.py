"""Assemble a set of images from image files and a function that finds their labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from backhaul.data.formats.report import DataReport, Problem, in_order
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, UnreadableImageError
from backhaul.data.likeness import Hashes
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

Checked: TypeAlias = tuple[Labels | None, list[Problem]]
"""Labels of an image, None if nobody labelled it, and what was wrong with them."""


@dataclass(slots=True)
class _Row:
    file: ImageFile
    labels: Labels | None


def assemble(
    paths: Sequence[str],
    class_names: tuple[str, ...],
    find_labels: Callable[[ImageFile], Checked],
    problems: Iterable[Problem] = (),
    reader: ImageReader = FROM_DISK,
) -> DataReport:
    """Return the images at `paths` with their labels.

    An unreadable image is left out with a warning. Of files with the same content the first
    stays, with a warning; if their labels differ, that is an error, except that an unlabelled
    one takes the labels of its twin.

    Args:
        paths: Absolute paths of image files, each once.
        class_names: The class list.
        find_labels: Called once for each readable image.
        problems: What was found wrong before.
        reader: Reads the images.
    """
    found = list(problems)
    rows: dict[str, _Row] = {}
    for file in reader.read(sorted(paths)):
        if isinstance(file, UnreadableImageError):
            reason = f"unreadable image, left out: {file.reason}"
            found.append(Problem(file.path, None, reason, "warning"))
            continue
        labels, wrong = find_labels(file)
        found += wrong
        if file.image_id in rows:
            found.append(_merge(rows[file.image_id], _Row(file, labels)))
        else:
            rows[file.image_id] = _Row(file, labels)
    found += _note_of_outlines(list(rows.values()))
    kept = list(rows.values())
    return DataReport(ImageSet(_table(kept), class_names), in_order(found), _hashes(kept))


def _hashes(rows: Sequence[_Row]) -> Hashes | None:
    known = [row.file.likeness for row in rows if row.file.likeness is not None]
    return np.array(known, dtype=np.uint64) if len(known) == len(rows) else None


def _note_of_outlines(rows: Sequence[_Row]) -> list[Problem]:
    of_images = [
        row.labels.polygons
        for row in rows
        if row.labels is not None and row.labels.polygons is not None
    ]
    if not of_images:
        return []
    n_outlines = sum(outline is not None for outlines in of_images for outline in outlines)
    reason = (
        f"{n_outlines} objects in {len(of_images)} images have an outline: it is kept, and the "
        "box around it is used where the file gives none"
    )
    place = os.path.commonpath([row.file.path for row in rows])
    return [Problem(place, None, reason, "note")]


def _merge(first: _Row, second: _Row) -> Problem:
    if first.labels is None:
        first.labels = second.labels
    elif second.labels is not None and not first.labels.same_as(second.labels):
        reason = f"same image as {first.file.path}, but other labels"
        return Problem(second.file.path, None, reason, "error")
    reason = f"same image as {first.file.path}, left out"
    return Problem(second.file.path, None, reason, "warning")


def _table(rows: list[_Row]) -> pd.DataFrame:
    missing = [None] * len(rows)
    return pd.DataFrame(
        {
            "image_id": pd.Series([row.file.image_id for row in rows], dtype="str"),
            "uri": pd.Series([row.file.path for row in rows], dtype="str"),
            "width": pd.Series([row.file.width for row in rows], dtype="int64"),
            "height": pd.Series([row.file.height for row in rows], dtype="int64"),
            "size_bytes": pd.Series([row.file.size_bytes for row in rows], dtype="int64"),
            "group": pd.Series(missing, dtype=object),
            "labels": pd.Series([row.labels for row in rows], dtype=object),
            "label_source": pd.Series(
                [None if row.labels is None else "dataset" for row in rows], dtype=object
            ),
            "copy_of": pd.Series(missing, dtype=object),
        }
    )
