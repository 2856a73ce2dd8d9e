"""COCO results: a JSON list of ``{image_id, category_id, bbox: [x, y, w, h], score}``.

What `image_id` means is said by the data set's COCO file. Without it an entry's ``file_name``
counts, as Ultralytics writes it, else a text is the name of an image, and a number that of one
called like the number: 42 is ``000042.jpg``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from backhaul.data.formats.cocofile import Entry, Id, add_images, id_of
from backhaul.data.formats.imageindex import ImageIndex
from backhaul.errors import InputError
from backhaul.predictions.found import Collected, Look
from backhaul.predictions.images import LEFT_OUT, Images
from backhaul.untrusted import MOST_TABLE_BYTES, one_line, read_bytes, understanding

Rows: TypeAlias = Mapping[Id, int | None]
"""The row of each image by its id in a COCO file; None of one that is not there."""

_EXPECTED = "expected image_id, category_id, bbox (x, y, width, height) and score"


def read_results(path: Path, images: Images, rows: Rows | None) -> Look:
    """Return the boxes of a file of COCO results.

    Args:
        path: The file.
        images: The images that they may be of.
        rows: What the ids of images mean, as `rows_of_ids` finds it; None = not known.

    Raises:
        InputError: If the file, an entry or a number in it is not what it must be.
    """
    found = Collected(str(path), images)
    known: dict[Any, int | None] = {}
    for number, entry in enumerate(_entries(path)):
        where = f"{path}: prediction {number}"
        try:
            name = (id_of(entry["image_id"]), entry.get("file_name"))
            class_id = id_of(entry["category_id"])
            sides = entry["bbox"]
            x, y, w, h = map(float, sides if isinstance(sides, list) else ())
            confidence = float(entry["score"])
        except Exception:  # keys that are missing, lists of another length, texts, ...
            raise InputError(f"{where}: {_EXPECTED}") from None
        if name[0] is None or not isinstance(class_id, int) or isinstance(name[1], list | dict):
            raise InputError(f"{where}: {_EXPECTED}")
        if name not in known:
            shown = str(entry.get("file_name") or entry["image_id"])
            row = _row(name[0], entry, images, rows)
            known[name] = found.image(shown, row)
        if (own := known[name]) is not None:
            found.add(own, class_id, confidence, (x, y, x + w, y + h), where)
    return found.look()


def rows_of_ids(path: Path, images: Images) -> tuple[Rows, tuple[str, ...]]:
    """Return the row of each image that a COCO file lists, by its id, and what is amiss.

    Args:
        path: The file; of it the list ``images`` counts.
        images: The images that it may list.

    Raises:
        InputError: If it is none, two images have one id, or a size is not that of the file.
    """
    content = _json(path)
    listed = content.get("images") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise InputError(f"{path}: expected a COCO file with a list of images")
    entries: dict[str, Entry] = {}
    index = ImageIndex(images.paths)
    root = images.root.as_posix()
    folders = (root, f"{root}/images", path.absolute().parent.as_posix())
    find: Callable[[str], tuple[str, ...]] = partial(index.find, folders=folders)
    with understanding(path):
        of_id, problems = add_images(str(path), listed, find, entries)
    if wrong := [problem for problem in problems if problem.severity == "error"]:
        raise InputError(str(wrong[0]))
    row_of = {id(entry): images.row_of_text(place) for place, entry in entries.items()}
    for place, entry in entries.items():
        _require_size(path, place, entry, images)
    rows = {key: row_of.get(id(entry)) for key, entry in of_id.items()}
    return rows, tuple(f"{problem.place}: {problem.reason}" for problem in problems)


def _require_size(path: Path, place: str, entry: Entry, images: Images) -> None:
    row = images.row_of_text(place)
    if row is None or row == LEFT_OUT or entry.size is None:
        return
    size = (images.files[row].width, images.files[row].height)
    if entry.size != size:
        raise InputError(f"{path}: {place} is listed as {entry.size}, but is {size} pixels")


def _row(image_id: Id, entry: dict[str, Any], images: Images, rows: Rows | None) -> int | None:
    if rows is not None:
        return rows.get(image_id)
    if name := entry.get("file_name"):
        return images.row_of_text(str(name))
    given = entry["image_id"]
    row = images.row_of_text(given) if isinstance(given, str) else None
    return images.row_of_number(image_id) if row is None and isinstance(image_id, int) else row


def _entries(path: Path) -> list[dict[str, Any]]:
    content = _json(path)
    if isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        return content
    what = "a COCO data set" if isinstance(content, dict) else "another list"
    raise InputError(f"{path}: is {what}, expected COCO results: a list of {_EXPECTED[9:]}")


def _json(path: Path) -> Any:
    data = read_bytes(path, MOST_TABLE_BYTES)
    try:
        return json.loads(data)
    except Exception as error:  # too deep, numbers that are too long, ...
        told = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise InputError(f"{path}: not JSON: {one_line(told)}") from None
