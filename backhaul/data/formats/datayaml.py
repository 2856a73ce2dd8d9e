"""The data.yaml of a YOLO data set: its class names, and where its images lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backhaul.data.formats.files import MOST_WRONG, Listing, require_names, scan
from backhaul.data.formats.report import Problem
from backhaul.data.images import ImageReader, is_image
from backhaul.errors import InputError
from backhaul.untrusted import (
    UnreadableFileError,
    one_line,
    open_text,
    read_bytes,
    understanding,
)
from backhaul.yamltext import parse_yaml

_SUBSETS = ("train", "val", "valid", "test")
_MOST_PATH = 4096  # characters of a line of a list


@dataclass(frozen=True, slots=True)
class DataYaml:
    """A data.yaml.

    Args:
        path: The file.
        content: What it says, ``names`` among it.
    """

    path: Path
    content: dict[str, Any]

    @property
    def names_images(self) -> bool:
        """Whether it says where images lie."""
        return any(self.content.get(subset) for subset in _SUBSETS)


def find_yaml(listing: Listing) -> DataYaml | None:
    """Return the data.yaml of a data set; None without one.

    Raises:
        InputError: If there are several, or a YAML file beside the images cannot be read.
    """
    found = []
    for suffix in (".yaml", ".yml"):
        for path in map(Path, listing.of(suffix)):
            if path.parent != listing.root:
                continue
            try:
                content = parse_yaml(read_bytes(path))
            except UnreadableFileError:
                raise
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
            if isinstance(content, dict) and "names" in content:
                found.append(DataYaml(path, content))
    preferred = [data for data in found if data.path.stem == "data"]
    if len(preferred or found) > 1:
        listed = ", ".join(data.path.name for data in found)
        raise InputError(f"{listing.root}: which is its data.yaml: {listed}? Expected one")
    return next(iter(preferred or found), None)


def names_of(data: DataYaml) -> tuple[str, ...]:
    """Return the class names.

    Raises:
        InputError: If they are no list of texts, or no texts by class id.
    """
    with understanding(data.path):
        return _names_of(data)


def _names_of(data: DataYaml) -> tuple[str, ...]:
    names, count = data.content["names"], data.content.get("nc")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise InputError(
                f"{data.path}: names: expected class ids 0..{len(names) - 1} as keys"
            )
        names = [names[class_id] for class_id in range(len(names))]
    if not isinstance(names, list):
        raise InputError(f"{data.path}: names: expected a list, or class ids and names")
    for number, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            shown = repr(name) if isinstance(name, bool) else f"that of class {number}"
            raise InputError(f"{data.path}: names: {shown} is no text; put it in quotes")
    if count not in (None, len(names)):
        told = f"nc is {count}" if isinstance(count, int) else "nc is no number"
        raise InputError(f"{data.path}: {told}, but there are {len(names)} names")
    return require_names(data.path, [str(name) for name in names])


def listed_images(data: DataYaml, reader: ImageReader) -> tuple[list[str], list[Problem]]:
    """Return the images that a data.yaml refers to, as Ultralytics reads it.

    Args:
        data: The data.yaml.
        reader: Says where the data set may read.

    Raises:
        InputError: If a list cannot be read.
    """
    with understanding(data.path):
        return _listed_images(data, reader)


def _listed_images(data: DataYaml, reader: ImageReader) -> tuple[list[str], list[Problem]]:
    base = _base(data, reader)
    images: list[str] = []
    problems: list[Problem] = []
    for subset in _SUBSETS:
        entries = data.content.get(subset) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            try:
                found, wrong = _images_at(_resolve(base, entry, reader), base, reader, data)
            except _NothingThereError as error:
                where = f"{subset}: {one_line(str(entry))}" if _is_word(entry) else subset
                reason = f"{where}: {error}, left out"
                problems.append(Problem(str(data.path), None, reason, "warning"))
                continue
            images += found
            problems += wrong
    return images, problems


class _NothingThereError(ValueError):
    """An entry that leads to no images, and why."""


def _is_word(value: object) -> bool:
    """Return whether a value of YAML may be a path: a text, or a folder called 2024."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _base(data: DataYaml, reader: ImageReader) -> Path:
    path = data.content.get("path") or ""
    here = data.path.parent
    if not _is_word(path):
        raise InputError(f"{data.path}: path: expected the path of a folder")
    base = os.path.normpath(here / str(path))
    return Path(base) if reader.may_read(base) and os.path.isdir(base) else here


def _resolve(base: Path, entry: object, reader: ImageReader) -> str:
    if not _is_word(entry):
        raise _NothingThereError("expected the path of a folder or list of images")
    path = str(entry)
    places = [os.path.normpath(base / path)]
    if path.startswith("../"):  # as Roboflow writes its own folders
        places.append(os.path.normpath(base / path.removeprefix("../")))
    inside = [place for place in places if reader.may_read(place)]
    if not inside:
        raise _NothingThereError(f"leads out of the data set in {reader.within}")
    return next(filter(os.path.exists, inside), inside[-1])


def _images_at(
    place: str, base: Path, reader: ImageReader, data: DataYaml
) -> tuple[list[str], list[Problem]]:
    if os.path.isdir(place):
        if _is_above(place, data.path.parent):
            raise InputError(
                f"{data.path}: {place} holds the data set itself; expected a folder of images"
            )
        return list(scan(Path(place)).images), []
    if os.path.isfile(place):
        return _read_list(Path(place), base, reader)
    raise _NothingThereError("no folder or list of images there")


def _is_above(place: str, folder: Path) -> bool:
    there, here = os.path.realpath(place), os.path.realpath(folder)
    return there != here and os.path.commonpath((there, here)) == there


def _read_list(path: Path, base: Path, reader: ImageReader) -> tuple[list[str], list[Problem]]:
    """Return the images of a list, relative to it or to the data set, and its problems."""
    images: list[str] = []
    problems: list[Problem] = []
    with open_text(path) as file, understanding(path):
        number = 0
        while line := file.readline(_MOST_PATH):
            number += 1
            if len(line) == _MOST_PATH:
                reason = f"line {number} is too long, expected the path of an image"
                raise UnreadableFileError(path, reason)
            if not line.strip():
                continue
            found = _image_of(line.strip(), (path.parent, base), reader)
            if found is not None:
                images.append(found)
                continue
            if len(problems) >= MOST_WRONG:
                raise UnreadableFileError(path, f"{MOST_WRONG:,} lines lead to no image")
            named = f"{line.strip()}: " if is_image(line.strip()) else ""
            reason = f"{named}no image there, left out"
            problems.append(Problem(str(path), number, reason, "warning"))
    return images, problems


def _image_of(line: str, folders: tuple[Path, ...], reader: ImageReader) -> str | None:
    places = [os.path.normpath(folder / line) for folder in folders]
    found = next((p for p in places if reader.may_read(p) and os.path.isfile(p)), None)
    return found if found is not None and is_image(found) else None
