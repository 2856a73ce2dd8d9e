"""X-AnyLabeling, and Labelme: a JSON file beside each image, corners in pixels.

Rectangles are written with two opposite corners, as Labelme has them, and read with two, or
with four as newer versions of X-AnyLabeling write them. A circle is read as the box around it:
its points are the centre and one of its edge. Polygons and turned boxes are read as the box
around their points. Shapes of other kinds are errors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.annotation.exchange.classes import class_ids
from backhaul.annotation.exchange.returned import Returned
from backhaul.annotation.exchange.single import files_by_image, other_files
from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats.assembly import Checked
from backhaul.data.formats.checks import Box, box_of_corners, check_boxes, listed_size
from backhaul.data.formats.files import Listing
from backhaul.data.formats.outlines import box_of_ellipse
from backhaul.data.formats.report import Problem
from backhaul.data.formats.writing import Put, new_folder, plain_names, put_images
from backhaul.data.images import ImageFile
from backhaul.untrusted import UnreadableFileError, one_line, read_text
from backhaul.values.images import ImageSet

VERSION = "2.0.0"
SUFFIX = ".json"
MOST_SHAPES, MOST_POINTS = 10_000, 10_000
_RECTANGLE, _FEWEST_OF_OUTLINE = (2, 4), 3  # points
_RECTANGLES = ("rectangle", "mask")
"""Kinds with two opposite corners, or all; Labelme has those of a mask beside its pixels."""
_OUTLINES = ("polygon", "rotation", "quadrilateral")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    label: str
    shape_type: str = "polygon"  # as Labelme has it where a file does not say
    points: list[tuple[float, float]] = Field(max_length=MOST_POINTS)


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")

    shapes: list[_Shape] = Field(max_length=MOST_SHAPES)
    imageWidth: Any = None  # noqa: N815 - the tool's own names
    imageHeight: Any = None  # noqa: N815
    checked: Any = None


def write(folder: Path, images: ImageSet, put: Put) -> None:
    """Write images into a new folder, and beside each that has labels a file of them.

    Args:
        folder: New or empty folder.
        images: The images.
        put: Puts an image file at its place in the folder.

    Raises:
        InputError: If `folder` is not empty, or a class cannot be named.
    """
    class_names = plain_names(images.class_names)
    new_folder(folder)
    names = put_images(folder / "images", images, put, None)
    (folder / "classes.txt").write_text("".join(f"{n}\n" for n in class_names), "utf-8")
    columns = images.table[["width", "height", "labels"]].itertuples(index=False)
    for name, (width, height, labels) in zip(names, columns, strict=True):
        if labels is None:
            continue
        shapes = [
            _shape(class_names[class_id], box)
            for class_id, box in zip(
                labels.class_id, np.round(labels.xyxy(width, height), 3).tolist(), strict=True
            )
        ]
        text = json.dumps(_file(name, width, height, shapes), indent=2, ensure_ascii=False)
        (folder / "images" / name).with_suffix(".json").write_text(text, "utf-8")


def _shape(label: str, box: list[float]) -> dict[str, Any]:
    return {
        "label": label,
        "shape_type": "rectangle",
        "points": [box[:2], box[2:]],
        "group_id": None,
        "description": "",
        "difficult": False,
        "flags": {},
        "attributes": {},
    }


def _file(name: str, width: int, height: int, shapes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": int(height),
        "imageWidth": int(width),
    }


def read(
    listing: Listing, waiting: Sequence[WaitingImage], class_names: tuple[str, ...]
) -> Returned:
    """Return the labels of the files that are named like images.

    Args:
        listing: What the tool wrote.
        waiting: The images.
        class_names: The run's classes.

    Raises:
        InputError: If there is no such file.
    """
    files = files_by_image(listing, SUFFIX, waiting)
    returned = Returned()
    for image in waiting:
        path, *others = files.get(image.file.image_id, [None])
        if path is None:
            continue
        if others:
            reason = f"which are its labels: this file or {others[0]}? Expected one"
            problem = Problem(path, None, reason, "error")
            returned.add(image.file.image_id, (None, [problem]))
            continue
        try:
            found = _parse(path)
            checked = _labels(path, found, image.file, class_names)
        except UnreadableFileError as error:
            checked = (None, [Problem(path, None, error.reason, "error")])
        else:
            if found.checked is True:
                returned.checked.add(image.file.image_id)
        returned.add(image.file.image_id, checked)
    returned.problems += other_files(listing, SUFFIX, files, lambda path: True)
    return returned


def _parse(path: str) -> _File:
    """Return what a file says.

    Raises:
        UnreadableFileError: If it cannot be read, or is none of the tool.
    """
    try:
        return _File.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {one_line(first['msg'])}; expected a file of X-AnyLabeling"
        raise UnreadableFileError(path, reason) from None


def _labels(path: str, found: _File, image: ImageFile, class_names: tuple[str, ...]) -> Checked:
    """Return the labels in the file of an image, and what is wrong with them.

    Raises:
        UnreadableFileError: If it is of a picture of another size.
    """
    size, there = (image.width, image.height), None
    try:
        there = listed_size(found.imageWidth, found.imageHeight)
    except ValueError as error:
        raise UnreadableFileError(path, f"imageWidth, imageHeight: {error}") from None
    if there not in (None, size):
        raise UnreadableFileError(path, f"is of an image of {there}, but this one has {size}")
    ids = class_ids(class_names)
    boxes, problems = list[Box](), list[Problem]()
    for number, shape in enumerate(found.shapes):
        what = f"shape {number}: "
        try:
            class_id = ids[" ".join(shape.label.split())]
            boxes.append(box_of_corners(class_id, _corners(shape, image), image, what=what))
        except KeyError:
            reason = f"{what}{one_line(shape.label)!r} is no class of the run"
            problems.append(Problem(path, None, reason, "error"))
        except ValueError as error:
            problems.append(Problem(path, None, f"{what}{error}", "error"))
    labels, wrong = check_boxes(path, boxes, image, len(class_names))
    return labels, problems + wrong


def _corners(shape: _Shape, image: ImageFile) -> tuple[float, float, float, float]:
    """Return the corners x1, y1, x2, y2 of the box around a shape.

    Raises:
        ValueError: If no box is known of its kind, or it has other points than its kind has.
    """
    kind, points = one_line(shape.shape_type), shape.points
    if kind == "circle":
        if len(points) != 2:  # noqa: PLR2004
            raise ValueError(f"a circle with {len(points)} points, expected centre and edge")
        radius = math.dist(*points)
        return box_of_ellipse(points[0], (radius, radius), 0.0, image)
    if kind not in (*_RECTANGLES, *_OUTLINES):
        raise ValueError(f"no box is known of a {kind!r}; expected rectangles, or remove it")
    if kind in _RECTANGLES and len(points) not in _RECTANGLE:
        raise ValueError(f"a {kind} with {len(points)} points, expected two corners or four")
    if kind in _OUTLINES and len(points) < _FEWEST_OF_OUTLINE:
        raise ValueError(f"a {kind} with {len(points)} points, expected three or more")
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
