"""Images that wait for labels as a folder for an annotator's tool, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from backhaul.annotation.exchange import tables, xanylabeling, yolo
from backhaul.annotation.exchange.returned import Returned
from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats.conversion import write_whole
from backhaul.data.formats.files import Listing, scan
from backhaul.data.formats.writing import copy_file
from backhaul.errors import InputError
from backhaul.storage.imagefiles import localise
from backhaul.storage.scratch import scratch_folder
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

Tool: TypeAlias = Literal["cvat", "x-anylabeling", "coco", "yolo"]
X_ANYLABELING = "x-anylabeling"


_READERS = {
    "cvat": tables.read_cvat,
    "x-anylabeling": xanylabeling.read,
    "coco": tables.read_coco,
    "yolo": yolo.read,
}
_SUFFIXES = {"cvat": ".xml", "x-anylabeling": ".json", "coco": ".json", "yolo": ".txt"}
_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})


def write_exchange(
    folder: Path,
    tool: Tool,
    waiting: Sequence[WaitingImage],
    class_names: tuple[str, ...],
    min_confidence: float,
) -> None:
    """Write images that wait, with the boxes that the model saw, into a new folder.

    A file is named by the id of its image, by which `read_exchange` knows it again.

    Args:
        folder: New or empty.
        tool: Whose format.
        waiting: The images.
        class_names: The class list.
        min_confidence: Boxes with less are left out.

    Raises:
        InputError: If the folder is not empty, or the format cannot name a class.
        MissingObjectError: If an image is gone from the store.
    """
    shown = [image.shown.above(min_confidence).boxes for image in waiting]
    with scratch_folder() as fetched:
        images = localise(_image_set(waiting, shown, class_names), fetched)
        if tool == X_ANYLABELING:
            xanylabeling.write(folder, images, copy_file)
        else:
            write_whole(folder, tool, images, copy_file)


def read_exchange(
    given: Path, tool: Tool, waiting: Sequence[WaitingImage], class_names: tuple[str, ...]
) -> Returned:
    """Return the labels in a file or folder of an annotator's tool.

    Images in it are passed over: names alone say whose the labels are.

    Args:
        given: A file or folder that the tool wrote.
        tool: Whose format.
        waiting: The images that it may have labels of.
        class_names: The class list; an image with a class that is none of it waits.

    Raises:
        InputError: If there is no such file, or nothing in it can be understood.
    """
    if not given.exists():
        raise InputError(f"{given}: no file there, and no folder")
    listing = _listing(given, _SUFFIXES[tool])
    return _READERS[tool](listing, waiting, class_names) if waiting else Returned()


def _listing(given: Path, suffix: str) -> Listing:
    """Return what is in a folder, or a file alone as if nothing were beside it.

    Raises:
        InputError: If it is an archive, or a folder has one and no file with the suffix, or
            holds too much.
    """
    path = given.absolute()
    if given.is_dir():
        listing = scan(given)
        packed = () if listing.of(suffix) else listing.of(*_ARCHIVES)
    else:
        listing = Listing(path.parent, (), {suffix: (path.as_posix(),)})
        packed = (str(given),) if given.suffix.lower() in _ARCHIVES else ()
    if packed:
        raise InputError(f"{packed[0]}: is packed; unpack it and give the folder")
    return listing


def _image_set(
    waiting: Sequence[WaitingImage],
    labels: Sequence[Labels | None],
    class_names: tuple[str, ...],
) -> ImageSet:
    rows = [
        (f.image_id, f.path, f.width, f.height, f.size_bytes, None, boxes, None, None)
        for f, boxes in zip((image.file for image in waiting), labels, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS), dtype=object)
    return ImageSet(table, class_names)
