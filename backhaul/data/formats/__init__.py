"""Labelled images in a folder: YOLO/Darknet, Pascal VOC, COCO, CVAT, KITTI or CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from backhaul.data.formats import coco, cvat, kitti, table, voc, yolo
from backhaul.data.formats.datayaml import unread
from backhaul.data.formats.files import Listing, first_of, scan, unreadable_files
from backhaul.data.formats.passedover import passed_over
from backhaul.data.formats.report import DataReport, Problem, in_order
from backhaul.data.formats.writing import Put, copy_file
from backhaul.data.groups import find_groups
from backhaul.data.images import FROM_DISK, ImageReader, OnProgress
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

__all__ = ["FORMATS", "DataReport", "Format", "Problem", "detect", "read", "sources"]


class Format(Protocol):
    """Functions that each module of this package provides."""

    def recognise(self, listing: Listing, /) -> bool:
        """Return whether a folder looks like this format."""

    def read(
        self, listing: Listing, names: Path | None = None, reader: ImageReader = FROM_DISK
    ) -> DataReport:
        """Return the data set of these files.

        Args:
            listing: The files of the data set.
            names: File of class names, or None.
            reader: Reads the images.
        """

    def written_names(self, class_names: tuple[str, ...], /) -> tuple[str, ...]:
        """Return the class names as `write` writes them."""

    def write(
        self,
        folder: Path,
        images: ImageSet,
        put: Put = copy_file,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Write images and labels into a new folder.

        Args:
            folder: New or empty folder.
            images: Images with labels, to be written.
            put: Puts an image file at its place in the folder, such as `copy_file`.
            on_progress: Called while the images are put.
        """


FORMATS: dict[str, Format] = {
    "yolo": yolo,
    "voc": voc,
    "coco": coco,
    "cvat": cvat,
    "kitti": kitti,
    "csv": table,
}


_OF_LABELS = (".json", ".xml", ".csv")


def sources(data: FolderData) -> list[str]:
    """Return the paths of all files that `read` may read; some may not exist."""
    listing = scan(Path(data.root))
    found = [*listing.images, *(path for paths in listing.others.values() for path in paths)]
    names = [] if data.names is None else [data.names.as_posix()]
    of_yolo = data.format == "yolo" or (data.format == "auto" and yolo.recognise(listing))
    return [*found, *names, *(yolo.outside(listing) if of_yolo else ())]


def read(data: FolderData, reader: ImageReader = FROM_DISK) -> DataReport:
    """Return the data set in a user's folder; nothing there is changed.

    Args:
        data: The folder, its format, class names, groups, and limits.
        reader: Reads the images.

    Raises:
        InputError: If there is no data set to speak of. What is wrong with single images and
            labels is in the report.
    """
    listing = scan(Path(data.root))
    name = detect(listing) if data.format == "auto" else data.format
    report = FORMATS[name].read(listing, data.names, replace(reader, limits=data.limits))
    others = (passed_over(listing, name), unread(listing))
    report = replace(report, problems=in_order(report.problems, *others))
    rows = report.images.table
    groups: Sequence[str | None]
    if data.group_pattern is not None:
        groups = [_group(data.group_pattern, uri) for uri in rows["uri"]]
    elif data.groups == "auto":
        groups = find_groups(report.images, report.hashes).names
    else:
        return report
    grouped = rows.assign(group=pd.Series(groups, dtype=object))
    return replace(report, images=ImageSet(grouped, report.images.class_names))


def detect(listing: Listing) -> str:
    """Return the name of the format in which a folder is labelled.

    Raises:
        InputError: If it looks like none of them, or like several.
    """
    root = listing.root
    found = [name for name, module in FORMATS.items() if module.recognise(listing)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{root}: labelled in several formats ({', '.join(found)}); "
            "set data.format (--format; --from of data convert) to the one to read"
        )
    raise InputError(
        f"{root}: no labels found among {len(listing.images)} images; looked for YOLO "
        "(data.yaml, labels/*.txt or .txt beside images), Pascal VOC (*.xml with an "
        "annotation), COCO (a JSON file of images, annotations and categories), CVAT for "
        "images (annotations.xml), KITTI (label_2/*.txt) and CSV (*.csv with filename, "
        f"class, xmin, ymin, xmax, ymax){_passed_over(listing)}"
    )


def _passed_over(listing: Listing) -> str:
    """Return which files might have been labels, as the end of a sentence."""
    unreadable = [
        problem for suffix in _OF_LABELS for problem in unreadable_files(listing, suffix)
    ]
    if unreadable:
        return first_of(unreadable)
    paths = {suffix: listing.of(suffix) for suffix in _OF_LABELS}
    counts = [
        f"{len(found)} {suffix}, as {found[0]}" for suffix, found in paths.items() if found
    ]
    return f"; of another kind are {'; '.join(counts)}" if counts else ""


def _group(pattern: str, uri: str) -> str | None:
    match = re.search(pattern, uri.rpartition("/")[2])
    return None if match is None else match.group(1)
