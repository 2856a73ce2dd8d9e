"""COCO files: which JSON files are some, and their images, categories and annotations.

Ids are numbers or texts, and ``1``, ``1.0`` and ``"1"`` are one id: programs that pass a file
through a table write them otherwise than they found them.
"""

from __future__ import annotations

import json
import math
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from backhaul.data.formats.checks import listed_size
from backhaul.data.formats.files import Listing
from backhaul.data.formats.imageindex import missing_images, which_image
from backhaul.data.formats.masks import Mask, looks_like_mask, mask_of
from backhaul.data.formats.outlines import is_outline
from backhaul.data.formats.report import Problem
from backhaul.data.images import is_image
from backhaul.errors import InputError
from backhaul.untrusted import MOST_TABLE_BYTES, UnreadableFileError, open_file, read_bytes

Id: TypeAlias = int | str
Find: TypeAlias = Callable[[str], tuple[str, ...]]
Corner: TypeAlias = tuple[float, float, float, float]

KEYS = ("images", "annotations", "categories")
_BBOX = 4
_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*+([{\[])")
"""A byte order mark, white space, and the first bracket."""
_TEXT, _OTHERS = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', rb'[^"{}\[\]]*+'
_NUMBERS = rb"\[\s*+[-0-9]" + _OTHERS + rb"\]"
_TOKEN = re.compile(rb"(?:(?:%b|%b)%b)++|[{}\[\]]" % (_TEXT, _NUMBERS, _OTHERS), re.DOTALL)
"""A bracket, or what lies between two: texts and lists of numbers."""
_KEY = re.compile(rb'(?<!\\)"(%b)"\s*:\s*\Z' % "|".join(KEYS).encode())
"""One of the keys, at the end of what lies before a bracket."""
_MOST_SHOWN = 40
_INTEGER = re.compile(r"-?[0-9]{1,18}(\.0+)?")


class Category(NamedTuple):
    """A category, and that which it is grouped under: None for ``none``, as Roboflow says."""

    name: str
    group: str | None


class Thing(NamedTuple):
    """An annotation; ``bbox`` is x, y, width, height in pixels, None if there is none."""

    shown: str
    category: Id
    bbox: Corner | None
    outlines: tuple[Sequence[float], ...]
    mask: Mask | None
    n_lost: int = 0
    """Parts of its segmentation that are neither outlines nor a mask."""


@dataclass(slots=True)
class Entry:
    """An image in a COCO file: its path, or the name of one that is not there."""

    source: str
    image: str
    size: tuple[int, int] | None = None
    things: list[Thing] = field(default_factory=list)
    has_crowds: bool = False


def find_files(listing: Listing) -> list[str]:
    """Return the COCO files: those called ``instances*.json``, or without one all there are.

    An ``instances*.json`` that is no JSON counts too, so that its reader says why it is none.
    """
    paths = listing.of(".json")
    named = [path for path in paths if path.rpartition("/")[2].startswith("instances")]
    found = [path for path in named if looks_like_coco(path) is not False]
    return found or [path for path in paths if path not in named and looks_like_coco(path)]


def looks_like_coco(path: str) -> bool | None:
    """Return whether a JSON file is an object with the three lists; None if it is no JSON.

    Brackets, and the keys before them, are looked at alone: to parse a large file takes several
    times as long, and much memory. What was found of a file is known until it changes.
    """
    try:
        with open_file(path, MOST_TABLE_BYTES) as file:
            status = os.fstat(file.fileno())
        return _looks_like_coco(path, status.st_size, status.st_mtime_ns)
    except UnreadableFileError:
        return None


@lru_cache(maxsize=10_000)
def _looks_like_coco(path: str, _size: int, _mtime_ns: int) -> bool | None:
    data = _as_utf8(read_bytes(path, MOST_TABLE_BYTES))
    start = _START.match(data)
    if start is None or not data.rstrip().endswith(b"}"):
        return None if start is None or start[1] == b"{" else False
    if start[1] == b"[":
        return False
    if not all(f'"{key}"'.encode() in data for key in KEYS):
        return False
    lists = set()
    for key in _lists_of_top(data):
        lists.add(key)
        if lists.issuperset(KEYS):
            return True
    return False


def _as_utf8(data: bytes) -> bytes:
    """Return JSON in UTF-8, which programs of Windows write in UTF-16 too."""
    encoding = json.detect_encoding(data)
    return data if encoding.startswith("utf-8") else data.decode(encoding, "replace").encode()


def _lists_of_top(data: bytes) -> Iterator[str]:
    """Yield those of `KEYS` that the outermost object has with a list."""
    depth, before = 0, b""
    for token in _TOKEN.finditer(data):
        text = token[0]
        if text in (b"{", b"["):
            key = _KEY.search(before) if text == b"[" and depth == 1 else None
            if key is not None:
                yield key[1].decode()
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        before = text


def load(path: str) -> dict[str, Any]:
    """Return the content of a COCO file; segmentations are as `_compact` has them.

    Raises:
        InputError: If it cannot be read, or is none.
    """
    data = read_bytes(path, MOST_TABLE_BYTES)
    try:
        content = json.loads(data, object_hook=_compact)
    except Exception as error:  # too deep, numbers that are too long, ...
        told = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise InputError(f"{path}: not JSON: {told}") from None
    lists = [content.get(key) for key in KEYS] if isinstance(content, dict) else [None]
    if not all(_is_list_of_objects(value) for value in lists):
        raise InputError(f"{path}: expected a COCO file with the lists {', '.join(KEYS)}")
    found: dict[str, Any] = content
    return found


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _compact(node: dict[str, Any]) -> dict[str, Any]:
    """Put polygons into arrays while a file is parsed: they are most of a large one.

    A part that is none is empty.
    """
    outlines = node.get("segmentation")
    if isinstance(outlines, list):
        flat = bool(outlines) and isinstance(outlines[0], int | float)
        outlines = [outlines] if flat else outlines
        node["segmentation"] = tuple(map(_numbers, outlines))
    return node


def _numbers(outline: Any) -> Sequence[float]:
    """Return the numbers of a polygon; none if it is none."""
    try:
        numbers = array("d", outline)
    except (TypeError, ValueError, OverflowError):
        return ()
    return numbers if is_outline(numbers) else ()


def id_of(value: object) -> Id | None:
    """Return the id that a number or a text is; None if it is neither."""
    if isinstance(value, str):
        text = value.strip()
        return int(text.partition(".")[0]) if _INTEGER.fullmatch(text) else text or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and value == int(value) else None


def categories_of(path: str, listed: list[Any]) -> dict[Id, Category]:
    """Return the categories of the file at `path`, by id.

    Raises:
        InputError: If there is none, one has no name, or an id is wrong or that of two.
    """
    found: dict[Id, Category] = {}
    for category in listed:
        number, name = id_of(category.get("id")), category.get("name")
        if number is None or isinstance(name, bool) or not isinstance(name, str | int | float):
            raise InputError(
                f"{path}: expected categories with a name, and an id that is a number or a text"
            )
        if number in found:
            raise InputError(
                f"{path}: expected categories, each id once: {found[number].name!r} and "
                f"{str(name)!r} have the id {number}"
            )
        group = str(category.get("supercategory") or "none")
        found[number] = Category(str(name), None if group.casefold() == "none" else group)
    if not found:
        raise InputError(f"{path}: expected categories, each id once; there is none")
    return found


def add_images(
    path: str, listed: list[Any], find: Find, entries: dict[str, Entry]
) -> tuple[dict[Id, Entry], list[Problem]]:
    """Add the images listed in the file at `path` to `entries`; return all by image id too.

    Not in `entries` are images that do not exist, are listed before, or share their id.
    """
    problems, missing = list[Problem](), list[str]()
    of_id: dict[Id, Entry] = {}
    name_of: dict[Id, str] = {}
    for image in listed:
        name, number = image.get("file_name"), id_of(image.get("id"))
        if not isinstance(name, str) or not name or number is None:
            what = f"image {name!r}: " if isinstance(name, str) and is_image(name) else ""
            reason = (
                f"{what}expected images with a file_name, and an id that is a number or a text"
            )
            problems.append(Problem(path, None, reason, "error", ""))
            continue
        if number in of_id:
            shown = ", ".join(map(_shown_name, (name_of[number], name)))
            reason = f"two images have the id {_shown(number)}: {shown}"
            problems.append(Problem(path, None, reason, "error", of_id[number].image))
            of_id[number] = Entry(path, of_id[number].image)
            continue
        name_of[number], of_id[number] = name, Entry(path, name)
        if found := find(name):
            of_id[number], wrong = _add_image(path, image, found, entries)
            problems += wrong
        else:
            missing.append(name)
    return of_id, problems + missing_images(path, missing)


def _add_image(
    path: str, image: dict[str, Any], found: tuple[str, ...], entries: dict[str, Entry]
) -> tuple[Entry, list[Problem]]:
    name, other = image["file_name"], Entry(path, found[0])
    if len(found) > 1:
        return other, [Problem(path, None, which_image(name, found), "error", found[0])]
    if found[0] in entries:
        first = entries[found[0]].source
        where = "twice" if first == path else f"in {first} too"
        reason = f"image {name!r} is listed {where}"
        return other, [Problem(path, None, reason, "error", found[0])]
    try:
        size = listed_size(image.get("width"), image.get("height"))
    except ValueError as error:
        return other, [Problem(path, None, f"image {name!r}: {error}", "error", found[0])]
    entry = entries[found[0]] = Entry(path, found[0], size)
    return entry, []


def _shown_name(name: str) -> str:
    return repr(name) if is_image(name) else "one"


def _shown(number: Id) -> str:
    return repr(number[:_MOST_SHOWN]) if isinstance(number, str) else str(number)


def add_things(
    path: str, listed: list[Any], of_id: dict[Id, Entry]
) -> tuple[set[Id], list[Problem]]:
    """Add the annotations of the file at `path` to its images.

    Returns:
        The categories that annotations have, and the problems.
    """
    problems, used, n_crowds, n_lost = _repeated(path, listed), set[Id](), 0, 0
    for place, annotation in enumerate(listed):
        number = id_of(annotation.get("image_id"))
        entry = None if number is None else of_id.get(number)
        if annotation.get("iscrowd") not in (None, False, 0, "0", ""):
            n_crowds += 1
            if entry is not None:
                entry.has_crowds = True
            continue
        shown = _annotation(annotation, place)
        try:
            thing = _parse(annotation, shown)
            of_id[_require_id(number)].things.append(thing)
        except Exception:  # no such keys, ids that are lists, infinite, ...
            reason = (
                f"{shown}: expected the image_id of an image, a category_id, and a bbox of 4 "
                "numbers or a segmentation"
            )
            about = entry.image if entry is not None else None if number is None else ""
            problems.append(Problem(path, None, reason, "error", about))
            continue
        used.add(thing.category)
        n_lost += thing.n_lost
    if n_crowds:
        reason = f"{n_crowds} crowd annotations left out"
        problems.append(Problem(path, None, reason, "warning"))
    if n_lost:
        reason = (
            f"{n_lost} parts of segmentations are neither an outline of three corners or more "
            "nor run lengths with a size, left out: boxes stay"
        )
        problems.append(Problem(path, None, reason, "note"))
    return used, problems


def _repeated(path: str, listed: list[Any]) -> list[Problem]:
    """Return a note if annotations share an id, which is used for nothing but their names."""
    times = Counter(id_of(annotation.get("id")) for annotation in listed)
    n_shared = sum(number for key, number in times.items() if number > 1 and key is not None)
    if not n_shared:
        return []
    reason = f"{n_shared} annotations share their id with another: each is an object"
    return [Problem(path, None, reason, "note")]


def _annotation(annotation: dict[str, Any], place: int) -> str:
    """Return how to call an annotation: by its id if it has one, else by its place."""
    number = id_of(annotation.get("id"))
    return f"annotations[{place}]" if number is None else f"annotation {_shown(number)}"


def _require_id(value: object) -> Id:
    found = id_of(value)
    if found is None:
        raise ValueError("expected a number or a text")
    return found


def _parse(annotation: dict[str, Any], shown: str) -> Thing:
    category = _require_id(annotation["category_id"])
    found = annotation.get("segmentation") or ()
    polygons = tuple(filter(None, found)) if isinstance(found, tuple) else ()
    if not annotation.get("bbox"):
        mask = mask_of(found) if isinstance(found, dict) else None
        if not polygons and mask is None:
            raise ValueError("expected a bbox or a segmentation")
        return Thing(shown, category, None, polygons, mask, _n_lost(found))
    if not isinstance(annotation["bbox"], list):
        raise TypeError("expected a bbox of 4 numbers")
    x, y, w, h = (float(value) for value in annotation["bbox"])
    return Thing(shown, category, (x, y, w, h), polygons[:2], None, _n_lost(found))


def _n_lost(segmentation: object) -> int:
    """Return how many parts of a segmentation are neither an outline nor a mask."""
    if isinstance(segmentation, tuple):
        return sum(not part for part in segmentation)
    return int(not (isinstance(segmentation, dict) and looks_like_mask(segmentation)))
