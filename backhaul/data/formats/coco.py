"""COCO: one JSON file a subset, with boxes as x, y, width, height in pixels.

An image that a file lists has been labelled, also if it has no annotation; images below the
folder that no file lists are unlabelled. Crowd annotations stand for no single object and are
left out. Classes are numbered from 0 in the order of their category ids.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backhaul.data.formats.assembly import Checked, assemble
from backhaul.data.formats.checks import Box, check_boxes
from backhaul.data.formats.files import (
    Listing,
    image_finder,
    read_names,
    scan,
    unreadable_files,
)
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.formats.writing import (
    Put,
    copy_file,
    labelled_rows,
    new_folder,
    put_images,
)
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress, is_image
from backhaul.errors import InputError
from backhaul.untrusted import (
    MOST_TABLE_BYTES,
    UnreadableFileError,
    read_bytes,
    understanding,
)
from backhaul.values.images import ImageSet

_KEYS = ("images", "annotations", "categories")
_BBOX = 4


@dataclass(slots=True)
class _Entry:
    """An image in a COCO file; ``boxes`` are annotation id, category id, x, y, w, h."""

    source: str
    size: tuple[int, int] | None
    boxes: list[tuple[float, ...]] = field(default_factory=list)


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    return bool(_find_files(listing))


def read(root: Path, names: Path | None = None, reader: ImageReader = FROM_DISK) -> DataReport:
    """Return the data set below `root`.

    Args:
        root: Its folder.
        names: File of class names, which then sets their order; None = that of category ids.
        reader: Reads the images.

    Raises:
        InputError: If there is no COCO file or no image, or files differ in their categories.
    """
    listing = scan(root)
    paths = _find_files(listing)
    unreadable = unreadable_files(listing, ".json")
    if not paths:
        why = f": {unreadable[0]}" if unreadable else ""
        raise InputError(f"{root}: no COCO file (instances*.json) found{why}")
    listing.require_images()
    categories: dict[int, str] = {}
    entries: dict[str, _Entry] = {}
    problems = unreadable
    for path in paths:
        content = _load(path)
        with understanding(path):
            _add_categories(path, content["categories"], categories)
            of_id, missing = _add_images(path, content["images"], listing, entries)
            problems += missing + _add_boxes(path, content["annotations"], of_id)
    class_names, ids = _classes(root, categories, names)

    def find_labels(image: ImageFile) -> Checked:
        entry = entries.get(image.path)
        return (None, []) if entry is None else _labels(entry, image, ids, len(class_names))

    return assemble(listing.images, class_names, find_labels, problems, reader)


def written_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the class names as `write` writes them."""
    return class_names


def write(
    folder: Path,
    images: ImageSet,
    put: Put = copy_file,
    on_progress: OnProgress | None = None,
) -> None:
    """Write ``images/`` and ``annotations/instances.json`` into a new folder.

    Boxes are exact but for the arithmetic of floating point.

    Args:
        folder: New or empty folder.
        images: Images with labels, to be written.
        put: Puts an image file at its place in the folder, such as `copy_file`.
        on_progress: Called while the images are put.

    Raises:
        InputError: If `folder` is not empty.
    """
    new_folder(folder)
    names = put_images(folder / "images", images, put, on_progress)
    listed, annotations = [], list[dict[str, Any]]()
    for number, (name, width, height, labels) in enumerate(labelled_rows(names, images), 1):
        listed.append({"id": number, "file_name": name, "width": width, "height": height})
        for class_id, cx, cy, w, h in labels.rows().tolist():
            corner = [(cx - w / 2) * width, (cy - h / 2) * height]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(class_id) + 1,
                    "bbox": [*corner, w * width, h * height],
                    "area": w * width * h * height,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(images.class_names, start=1)]
    content = dict(zip(_KEYS, (listed, annotations, categories), strict=True))
    (folder / "annotations").mkdir()
    path = folder / "annotations" / "instances.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _find_files(listing: Listing) -> list[str]:
    """Return the ``instances*.json``, or without one all files that look like COCO."""
    paths = listing.of(".json")
    named = [path for path in paths if path.rpartition("/")[2].startswith("instances")]
    return named or [path for path in paths if _looks_like_coco(path)]


def _looks_like_coco(path: str) -> bool:
    try:
        content = read_bytes(path, MOST_TABLE_BYTES)
    except UnreadableFileError:
        return False
    return all(f'"{key}"'.encode() in content for key in _KEYS)


def _without_outlines(node: dict[str, Any]) -> dict[str, Any]:
    node.pop("segmentation", None)  # most of a large file, and not needed here
    return node


def _load(path: str) -> dict[str, Any]:
    data = read_bytes(path, MOST_TABLE_BYTES)
    try:
        content = json.loads(data, object_hook=_without_outlines)
    except Exception as error:  # too deep, numbers that are too long, ...
        told = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise InputError(f"{path}: not JSON: {told}") from None
    lists = [content.get(key) for key in _KEYS] if isinstance(content, dict) else [None]
    if not all(_is_list_of_objects(value) for value in lists):
        raise InputError(f"{path}: expected a COCO file with the lists {', '.join(_KEYS)}")
    found: dict[str, Any] = content
    return found


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _add_categories(path: str, listed: list[Any], categories: dict[int, str]) -> None:
    try:
        found = {int(category["id"]): str(category["name"]) for category in listed}
    except Exception:  # no such keys, ids that are lists, infinite, ...
        raise InputError(f"{path}: expected categories with an id and a name") from None
    if not found or len(found) < len(listed):
        raise InputError(f"{path}: expected categories, each id once")
    if categories and categories != found:
        raise InputError(f"{path}: its categories differ from those of another COCO file")
    categories.update(found)


def _classes(
    root: Path, categories: dict[int, str], names: Path | None
) -> tuple[tuple[str, ...], dict[int, int]]:
    in_order = [categories[category] for category in sorted(categories)]
    twice = [name for name, times in Counter(in_order).items() if times > 1]
    if twice:
        raise InputError(f"{root}: category {twice[0]!r} has several ids")
    class_names = tuple(in_order) if names is None else read_names(names)
    missing = set(in_order) - set(class_names)
    if missing:
        raise InputError(f"{names}: category {min(missing)!r} is missing")
    return class_names, {
        category: class_names.index(name) for category, name in categories.items()
    }


def _add_images(
    path: str, listed: list[Any], listing: Listing, entries: dict[str, _Entry]
) -> tuple[dict[Any, _Entry | None], list[Problem]]:
    """Add the images listed in the file at `path` to `entries`; return them by image id too.

    The value is None for an image that does not exist.
    """
    problems = []
    find = _finder(path, listing)
    of_id: dict[Any, _Entry | None] = {}
    for image in listed:
        name, number = image.get("file_name"), image.get("id")
        if not isinstance(name, str) or not isinstance(number, int | str):
            reason = "expected images with a file_name, and an id that is a number or a text"
            problems.append(Problem(path, None, reason, "error"))
            continue
        found = find(name)
        of_id[number] = None
        if found is None:
            named = f"image {name!r}" if is_image(name) else "an image"
            problems.append(Problem(path, None, f"{named} not found, left out", "warning"))
        elif found in entries:
            problems.append(Problem(path, None, f"image {name!r} is listed twice", "error"))
        else:
            size = (image.get("width"), image.get("height"))
            known = all(isinstance(side, int) and side > 0 for side in size)
            of_id[number] = entries[found] = _Entry(path, size if known else None)
    return of_id, problems


def _add_boxes(path: str, listed: list[Any], of_id: dict[Any, _Entry | None]) -> list[Problem]:
    problems = []
    objects = [annotation for annotation in listed if not annotation.get("iscrowd")]
    for annotation in objects:
        try:
            entry = of_id[annotation["image_id"]]
            box = _parse(annotation)
        except Exception:  # no such keys, ids that are lists, infinite, ...
            reason = (
                f"annotation {_shown(annotation)}: expected the image_id of an image, "
                "a category_id, and a bbox of 4 numbers"
            )
            problems.append(Problem(path, None, reason, "error"))
            continue
        if entry is not None:
            entry.boxes.append(box)
    if n_crowds := len(listed) - len(objects):
        problems.append(
            Problem(path, None, f"{n_crowds} crowd annotations left out", "warning")
        )
    return problems


def _parse(annotation: dict[str, Any]) -> tuple[float, ...]:
    bbox = [float(value) for value in annotation["bbox"]]
    if len(bbox) != _BBOX:
        raise ValueError("expected 4 numbers")
    return (_shown(annotation), int(annotation["category_id"]), *bbox)


def _shown(annotation: dict[str, Any]) -> int:
    """Return the id of an annotation, -1 where it has no number as such."""
    number = annotation.get("id")
    return number if isinstance(number, int) else -1


def _labels(entry: _Entry, image: ImageFile, ids: dict[int, int], n_classes: int) -> Checked:
    if entry.size not in (None, (image.width, image.height)):
        reason = f"{image.path} is listed as {entry.size}, but is {(image.width, image.height)}"
        return None, [Problem(entry.source, None, reason + " pixels", "error")]
    boxes, problems = [], []
    for number, category, x, y, w, h in entry.boxes:
        what = f"annotation {number}: "
        if category not in ids:
            reason = f"{what}category {category} is not in the file"
            problems.append(Problem(entry.source, None, reason, "error"))
            continue
        cx, cy = (x + w / 2) / image.width, (y + h / 2) / image.height
        boxes.append(
            Box(ids[int(category)], cx, cy, w / image.width, h / image.height, None, what)
        )
    labels, wrong = check_boxes(entry.source, boxes, image, n_classes)
    return labels, problems + wrong


def _finder(path: str, listing: Listing) -> Callable[[str], str | None]:
    """Return a function from a ``file_name`` of the COCO file at `path` to the image's path.

    Looks in the folders named like the subset, beside the file, in ``images/`` and in the root;
    then for the only image of that name anywhere.
    """
    root, subset = listing.root.as_posix(), Path(path).stem.removeprefix("instances_")
    beside = path.rpartition("/")[0]
    folders = (f"{root}/{subset}", f"{root}/images/{subset}", beside, f"{root}/images", root)
    candidates = image_finder(listing, folders)

    def find(name: str) -> str | None:
        found = candidates(name)
        return found[0] if len(found) == 1 else None

    return find
