"""X-AnyLabeling, and Labelme: a JSON file beside each image, corners in pixels.

Rectangles are written with two corners, which all versions read, and read with two or four;
shapes of other kinds are read as the box around their points. Source: the page "User guide" of
X-AnyLabeling's documentation, and the files that Labelme writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.data.formats.assembly import Checked
from backhaul.data.formats.checks import Box, box_of_corners, check_boxes
from backhaul.data.formats.report import Problem
from backhaul.data.formats.writing import Put, new_folder, plain_names, put_images
from backhaul.data.images import ImageFile
from backhaul.untrusted import UnreadableFileError, one_line, read_bytes
from backhaul.values.images import ImageSet

VERSION = "2.0.0"
MOST_SHAPES, MOST_POINTS = 10_000, 10_000
FEWEST_POINTS = 2


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    label: str
    points: list[tuple[float, float]] = Field(min_length=FEWEST_POINTS, max_length=MOST_POINTS)


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")

    shapes: list[_Shape] = Field(max_length=MOST_SHAPES)


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


def read_file(path: Path, image: ImageFile, class_names: tuple[str, ...]) -> Checked:
    """Return the labels in the file of one image, and its problems.

    Args:
        path: The file, which anybody may have written.
        image: The image that it is of.
        class_names: The class list.
    """
    try:
        found = _File.model_validate_json(read_bytes(path))
    except UnreadableFileError as error:
        return None, [Problem(str(path), None, error.reason, "error")]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {one_line(first['msg'])}; expected a file of X-AnyLabeling"
        return None, [Problem(str(path), None, reason, "error")]
    ids = {name: number for number, name in enumerate(plain_names(class_names))}
    boxes: list[Box] = []
    for number, shape in enumerate(found.shapes):
        name = " ".join(shape.label.split())
        if name not in ids:
            reason = f"shape {number}: {one_line(name)!r} is no class of the class list"
            return None, [Problem(str(path), None, reason, "error")]
        xs, ys = zip(*shape.points, strict=True)
        corners = (min(xs), min(ys), max(xs), max(ys))
        boxes.append(box_of_corners(ids[name], corners, image, what=f"shape {number}: "))
    return check_boxes(str(path), boxes, image, len(class_names))
