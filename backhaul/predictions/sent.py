"""Images that were sent before: they are no candidates, and others should differ from them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from backhaul.data.imagelists import read_list, shown
from backhaul.data.images import ImageFile, UnreadableImageError, at_header, probe
from backhaul.errors import InputError
from backhaul.predictions.images import Images, named
from backhaul.untrusted import MOST_TABLE_BYTES, open_text, read_text, understanding, user_path


@dataclass(frozen=True)
class Before:
    """Images that were sent before.

    Args:
        files: Those that are still there, each content once.
        notes: Which are not, in words.
    """

    files: tuple[ImageFile, ...] = ()
    notes: tuple[str, ...] = ()


def read_sent(path: Path, images: Images) -> Before:
    """Return the images that a list names: one path a line, or what `backhaul select` wrote.

    A path is that of a file, from the list's folder on; else the name of one of `images`.

    Args:
        path: The list; its suffix says whether it is .csv, .json, or plain text.
        images: The images that are chosen among.

    Raises:
        InputError: If it cannot be read, or a name may be that of several images.
    """
    found: dict[str, ImageFile] = {}
    gone = []
    for name in _names(path):
        file = _file(name, path.parent, images)
        if file is None:
            gone.append(shown(name))
        else:
            found.setdefault(file.image_id, file)
    notes = (f"{path}: passed over, as not there: {named(gone, 'image')}",) if gone else ()
    return Before(tuple(found.values()), notes)


def _file(name: str, folder: Path, images: Images) -> ImageFile | None:
    path = _path(name, folder) or images.path_of_text(name)
    try:
        return None if path is None else probe(path, look=at_header)
    except UnreadableImageError:
        return None


def _path(name: str, folder: Path) -> str | None:
    """Return the file that a line is the path of, from a folder on; None if there is none."""
    try:
        place = folder / user_path(name)
        return place.as_posix() if place.is_file() else None
    except (InputError, OSError):  # no path, as ~ and nobody's name: an image may be called so
        return None


def _names(path: Path) -> list[str]:
    match path.suffix.lower():
        case ".csv":
            with understanding(path), open_text(path) as file:
                table = csv.DictReader(file)
                if "file" not in (table.fieldnames or ()):
                    raise InputError(f"{path}: expected a table with the column file")
                return [row["file"] for row in table if row["file"]]
        case ".json":
            with understanding(path):
                content = json.loads(read_text(path, MOST_TABLE_BYTES))
                return [str(each["file"]) for each in content["selection"]]
    return list(read_list(path).paths)
