"""Labelled images in a folder: YOLO/Darknet, Pascal VOC, COCO, KITTI or CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from backhaul.data.formats import coco, kitti, table, voc, yolo
from backhaul.data.formats.files import Listing, scan
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
        self, root: Path, names: Path | None = None, reader: ImageReader = FROM_DISK
    ) -> DataReport:
        """Return the data set below `root`.

        Args:
            root: Its folder.
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
    "kitti": kitti,
    "csv": table,
}


def sources(data: FolderData) -> list[str]:
    """Return the paths of all files that `read` may read; some may not exist."""
    listing = scan(Path(data.root))
    found = [*listing.images, *(path for paths in listing.others.values() for path in paths)]
    names = [] if data.names is None else [data.names.as_posix()]
    return [*found, *names, *yolo.outside(listing)]


def read(data: FolderData, reader: ImageReader = FROM_DISK) -> DataReport:
    """Return the data set in a user's folder; nothing there is changed.

    Args:
        data: The folder, its format, class names, groups, and limits.
        reader: Reads the images.

    Raises:
        InputError: If there is no data set to speak of. What is wrong with single images and
            labels is in the report.
    """
    root = Path(data.root)
    name = detect(root) if data.format == "auto" else data.format
    read_by = FORMATS[name].read(root, data.names, replace(reader, limits=data.limits))
    report = replace(
        read_by, problems=in_order(read_by.problems, passed_over(scan(root), name))
    )
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


def detect(root: Path) -> str:
    """Return the name of the format of the labels below `root`.

    Raises:
        InputError: If it looks like none of them, or like several.
    """
    listing = scan(root)
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
        "annotation), COCO (instances*.json), KITTI (label_2/*.txt) and CSV (*.csv with "
        "filename, class, xmin, ymin, xmax, ymax)"
    )


def _group(pattern: str, uri: str) -> str | None:
    match = re.search(pattern, uri.rpartition("/")[2])
    return None if match is None else match.group(1)
