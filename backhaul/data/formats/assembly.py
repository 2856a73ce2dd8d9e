"""Assemble a set of images from image files and a function that finds their labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
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


_ROUNDING_PX = 1e-6


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
    found, of_labels = list(problems), list[Problem]()
    rows: dict[str, _Row] = {}
    for file in reader.read(sorted(paths)):
        if isinstance(file, UnreadableImageError):
            reason = f"unreadable image, left out: {file.reason}"
            found.append(Problem(file.path, None, reason, "warning"))
            continue
        labels, wrong = find_labels(file)
        of_labels += [replace(problem, image=file.path) for problem in wrong]
        if file.image_id in rows:
            found.append(_merge(rows[file.image_id], _Row(file, labels)))
        else:
            rows[file.image_id] = _Row(file, labels)
    kept = list(rows.values())
    found += _together(of_labels) + _note_of_outlines(kept)
    return DataReport(ImageSet(_table(kept), class_names), in_order(found), _hashes(kept))


def question_fractions(report: DataReport) -> DataReport:
    """Return `report` with a warning if all its boxes lie within the first pixel of images.

    Args:
        report: A data set whose format has numbers of pixels, where a file may have fractions
            of the sides in their place.
    """
    if not looks_like_fractions(report.images):
        return report
    place = os.path.commonpath(list(report.images.table["uri"]))
    reason = (
        "all boxes lie within 0 to 1 pixels of their images: are their numbers fractions of "
        "the sides, where this format has pixels?"
    )
    found = Problem(place, None, reason, "warning")
    return replace(report, problems=(found, *report.problems))


def looks_like_fractions(images: ImageSet) -> bool:
    """Return whether there are boxes, and all lie within the first pixel of their images."""
    labelled = images.labelled().table
    columns = labelled[["labels", "width", "height"]].itertuples(index=False, name=None)
    known = [row for row in columns if len(row[0])]
    return bool(known) and all(starmap(_in_first_pixel, known))


def _in_first_pixel(labels: Labels, width: int, height: int) -> bool:
    inside = labels.xyxy(width, height) <= 1 + _ROUNDING_PX
    return max(width, height) > 1 and bool(inside.all())


def _together(problems: list[Problem]) -> list[Problem]:
    """Return problems of labels; notes that say the same are one, with their number."""
    notes = [problem for problem in problems if problem.severity == "note"]
    times = Counter(note.reason for note in notes)
    first = {note.reason: note for note in reversed(notes)}
    counted = [
        replace(first[reason], reason=f"{reason} ({number} in all)")
        for reason, number in times.items()
    ]
    return [problem for problem in problems if problem.severity != "note"] + counted


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
        return Problem(second.file.path, None, reason, "error", first.file.path)
    reason = f"same image as {first.file.path}, left out"
    return Problem(second.file.path, None, reason, "warning", first.file.path)


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
