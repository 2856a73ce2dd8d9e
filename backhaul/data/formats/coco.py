"""COCO: one JSON file a subset, with boxes as x, y, width, height in pixels.

An image that a file lists has been labelled, also if it has no annotation; images below the
folder that no file lists are unlabelled. Crowd annotations stand for no single object and are
left out. Classes are numbered from 0 in the order of their category ids. A category that only
groups others, and has no annotation, is left out; categories of one name are one class.

A box is the ``bbox``; without one it is that around the ``segmentation``, whose polygons may be
several, or a mask in run lengths. An outline is kept where an object has a single polygon.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from backhaul.data.formats.assembly import Checked, assemble, question_fractions
from backhaul.data.formats.categories import Classes, classes_of
from backhaul.data.formats.checks import Box, check_boxes
from backhaul.data.formats.cocofile import (
    KEYS,
    Category,
    Entry,
    Id,
    Thing,
    add_images,
    add_things,
    categories_of,
    find_files,
    load,
)
from backhaul.data.formats.files import (
    Listing,
    first_of,
    unreadable_files,
)
from backhaul.data.formats.imageindex import ImageIndex
from backhaul.data.formats.outlines import box_around, in_fractions
from backhaul.data.formats.passedover import not_read
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.formats.writing import (
    Put,
    copy_file,
    labelled_rows,
    new_folder,
    put_images,
)
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress
from backhaul.errors import InputError
from backhaul.untrusted import understanding
from backhaul.values.images import ImageSet


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    return bool(find_files(listing))


def read(
    listing: Listing, names: Path | None = None, reader: ImageReader = FROM_DISK
) -> DataReport:
    """Return the data set of these files.

    Args:
        listing: The files of the data set.
        names: File of class names, which then sets their order; None = that of category ids.
        reader: Reads the images.

    Raises:
        InputError: If there is no COCO file or no image, or files differ in their categories.
    """
    paths = find_files(listing)
    unreadable = unreadable_files(listing, ".json")
    if not paths:
        raise InputError(_no_file(listing, unreadable))
    listing.require_images()
    categories: dict[Id, Category] = {}
    entries: dict[str, Entry] = {}
    used: set[Id] = set()
    index = ImageIndex(listing.images)
    told = {*paths, *(problem.path for problem in unreadable)}
    problems = unreadable + index.alike() + not_read(listing, ".json", told, "coco")
    for path in paths:
        content = load(path)
        with understanding(path):
            _agree(path, categories_of(path, content["categories"]), categories)
            find = _finder(path, listing, index)
            of_id, wrong = add_images(path, content["images"], find, entries)
            seen, worse = add_things(path, content["annotations"], of_id)
        used |= seen
        problems += wrong + worse
    classes = classes_of(listing.root, categories, used, names)

    def find_labels(image: ImageFile) -> Checked:
        entry = entries.get(image.path)
        return (None, []) if entry is None else _labels(entry, image, classes)

    problems += classes.notes
    report = assemble(listing.images, classes.names, find_labels, problems, reader)
    crowded = frozenset(path for path, entry in entries.items() if entry.has_crowds)
    return question_fractions(replace(report, partly=crowded))


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
    content = dict(zip(KEYS, (listed, annotations, categories), strict=True))
    (folder / "annotations").mkdir()
    path = folder / "annotations" / "instances.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _no_file(listing: Listing, unreadable: list[Problem]) -> str:
    others = listing.of(".json")
    why = first_of(unreadable)
    if others and not why:
        why = f" ({others[0]}: expected the lists {', '.join(KEYS)})"
    return f"{listing.root}: no COCO file (instances*.json) found{why}"


def _agree(path: str, found: dict[Id, Category], categories: dict[Id, Category]) -> None:
    names = [
        {key: category.name for key, category in each.items()} for each in (found, categories)
    ]
    if categories and names[0] != names[1]:
        raise InputError(f"{path}: its categories differ from those of another COCO file")
    categories.update(found)


def _labels(entry: Entry, image: ImageFile, classes: Classes) -> Checked:
    size = (image.width, image.height)
    if entry.size not in (None, size):
        reason = f"{image.path} is listed as {entry.size}, but is {size} pixels"
        return None, [Problem(entry.source, None, reason, "error")]
    boxes, problems = [], []
    for thing in entry.things:
        what = f"{thing.shown}: "
        if thing.category not in classes.of_category:
            reason = f"{what}category {thing.category} is not in the file"
            problems.append(Problem(entry.source, None, reason, "error"))
        elif thing.mask is not None and thing.mask.size != size:
            reason = f"{what}its mask is of {thing.mask.size}, but the image of {size} pixels"
            problems.append(Problem(entry.source, None, reason, "error"))
        else:
            boxes.append(_box(thing, classes.of_category[thing.category], image, what))
    labels, wrong = check_boxes(entry.source, boxes, image, len(classes.names))
    return labels, problems + wrong


def _box(thing: Thing, class_id: int, image: ImageFile, what: str) -> Box:
    bbox = thing.bbox if thing.mask is None else thing.mask.bbox
    outlines = [tuple(outline) for outline in thing.outlines]
    if bbox is None:
        return box_around(class_id, outlines, image, what)
    x, y, w, h = bbox
    cx, cy = (x + w / 2) / image.width, (y + h / 2) / image.height
    outline = in_fractions(outlines[0], image) if len(outlines) == 1 else None
    return Box(class_id, cx, cy, w / image.width, h / image.height, None, what, outline)


def _finder(path: str, listing: Listing, index: ImageIndex) -> Callable[[str], tuple[str, ...]]:
    """Return a function from a ``file_name`` of the COCO file at `path` to images it may be.

    Looks in the folders named like the subset, beside the file, in ``images/`` and in the root;
    then for the images of that name anywhere.
    """
    root, subset = listing.root.as_posix(), Path(path).stem.removeprefix("instances_")
    beside = path.rpartition("/")[0]
    own = (f"{root}/{subset}", f"{root}/images/{subset}")
    return partial(index.find, folders=(beside, f"{root}/images", root), own=own)
