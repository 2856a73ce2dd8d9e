"""Boxes in Label Studio: corner and size in percent of the image, turned about that corner."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from backhaul.annotation.labelstudio.interface import BOXES, IMAGE
from backhaul.data.formats.writing import plain_names
from backhaul.data.images import ImageFile
from backhaul.untrusted import one_line
from backhaul.values.labels import Labels

KIND = "rectanglelabels"
PERCENT = 100.0
_FAR, _NO_AREA = 1e6, 1e-7  # in percent: numbers of no box, and no difference but of rounding

Number: TypeAlias = Annotated[float, Field(ge=-_FAR, le=_FAR)]
"""Of a box, in percent or degrees."""


class Rectangle(BaseModel):
    """A box as Label Studio has it, in percent of the image's sides."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    x: Number
    y: Number
    width: Number
    height: Number
    rotation: Number = 0.0
    rectanglelabels: list[str] = Field(default=[], max_length=10)


def regions_of(
    labels: Labels, confidence: np.ndarray[Any, Any], image: ImageFile, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return boxes as regions of a prediction.

    Args:
        labels: The boxes, n of them.
        confidence: Of each, shape (n,).
        image: The image that they are in.
        names: The class list.
    """
    plain = plain_names(names)
    corners = labels.xyxy(PERCENT, PERCENT).tolist()
    rows = zip(labels.class_id.tolist(), confidence.tolist(), corners, strict=True)
    return [
        {
            "id": f"box-{number}",
            "type": KIND,
            "from_name": BOXES,
            "to_name": IMAGE,
            "original_width": image.width,
            "original_height": image.height,
            "image_rotation": 0,
            "score": score,
            "value": {
                "x": x1,
                "y": y1,
                "width": x2 - x1,
                "height": y2 - y1,
                "rotation": 0,
                KIND: [plain[class_id]],
            },
        }
        for number, (class_id, score, (x1, y1, x2, y2)) in enumerate(rows)
    ]


def labels_of(rectangles: list[Rectangle], image: ImageFile, names: tuple[str, ...]) -> Labels:
    """Return boxes as labels; of one that is turned, the box around it.

    Args:
        rectangles: The boxes.
        image: The image that they are in.
        names: The class list.

    Raises:
        ValueError: If a box has no class of the class list, or several, or no part of it lies
            in the image.
    """
    ids = {name: number for number, name in enumerate(plain_names(names))}
    class_ids, corners = [], []
    for each in rectangles:
        known = [ids[name] for name in each.rectanglelabels if name in ids]
        if len(known) != 1 or len(each.rectanglelabels) != 1:
            shown = one_line(repr(each.rectanglelabels))
            raise ValueError(f"a box has the classes {shown}, expected one of {', '.join(ids)}")
        class_ids += known
        corners.append(_corners(each, image))
    boxes = np.array(corners, dtype=np.float64).reshape(-1, 4)
    return Labels.from_xyxy(np.array(class_ids, dtype=np.int64), boxes, PERCENT, PERCENT)


def _corners(box: Rectangle, image: ImageFile) -> tuple[float, float, float, float]:
    """Return the corners of the box around a box, in percent, cut off at the image's edges."""
    turn = math.radians(box.rotation)
    cos, sin = math.cos(turn), math.sin(turn)
    ratio = image.height / image.width  # it is turned in pixels
    points = [
        (box.x + dx * cos - dy * ratio * sin, box.y + dx * sin / ratio + dy * cos)
        for dx in (0.0, box.width)
        for dy in (0.0, box.height)
    ]
    xs, ys = (
        [min(max(value, 0.0), PERCENT) for value in side] for side in zip(*points, strict=True)
    )
    x1, y1, x2, y2 = min(xs), min(ys), max(xs), max(ys)
    if x2 - x1 <= _NO_AREA or y2 - y1 <= _NO_AREA:
        raise ValueError("a box lies outside of the image, or has no area")
    return x1, y1, x2, y2
