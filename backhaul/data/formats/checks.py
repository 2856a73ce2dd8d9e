"""Rules that every box of every format must follow.

- Its class is one of the class list, its numbers are finite, its width and height not negative,
  and it reaches at most one pixel, or a thousandth of the image's side where that is more, over
  an edge: anything else is an error.
- What reaches over an edge by less is rounding, and is clipped.
- An outline beside a box is clipped too, but where it reaches far over an edge it is left out
  with a note: its numbers are those of another size of the image, and the box is not.
- A box without area, or one that repeats another, is left out with a warning: published data
  sets hold such slips of the mouse, and no object is lost with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.data.formats.report import Problem
from backhaul.data.images import ImageFile
from backhaul.values.labels import LABEL_FIELDS, Labels

EDGE_PX = 1.0
EDGE_FRACTION = 1e-3
FAR_FRACTION = 0.1
"""Of the image's side: an outline that reaches over an edge by more is not that of its box."""
_EXACT = 1e-9  # of the image's side: no difference but that of floating point


class Box(NamedTuple):
    """A box as a label file gives it: centre and size in fractions of the image's sides.

    ``line`` and ``what`` (empty, or like "object 3: ") say where in the file it is. ``outline``
    is the polygon of the object, as x, y, x, y, ... in fractions of the image's sides, if the
    file gives one.
    """

    class_id: int
    cx: float
    cy: float
    w: float
    h: float
    line: int | None = None
    what: str = ""
    outline: tuple[float, ...] | None = None


def box_of_outline(
    class_id: int, outline: Sequence[float], line: int | None = None, what: str = ""
) -> Box:
    """Return the box around a polygon, which it keeps.

    Args:
        class_id: Its class.
        outline: Its corners as x, y, x, y, ... in fractions of the sides; three at least.
        line: Line of the label file, from 1; None = the format has no lines.
        what: Where in the file it is, like "object 3: ", or empty.
    """
    xs, ys = outline[::2], outline[1::2]
    x1, y1, x2, y2 = min(xs), min(ys), max(xs), max(ys)
    return Box(
        class_id, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, line, what, tuple(outline)
    )


def box_of_corners(
    class_id: int,
    corners: tuple[float, float, float, float],
    image: ImageFile,
    line: int | None = None,
    what: str = "",
) -> Box:
    """Return the box with the given corners.

    Args:
        class_id: Its class.
        corners: x1, y1, x2, y2 in pixels.
        image: The image that it is in.
        line: Line of the label file, from 1; None = the format has no lines.
        what: Where in the file it is, like "object 3: ", or empty.
    """
    x1, y1, x2, y2 = corners
    w, h = (x2 - x1) / image.width, (y2 - y1) / image.height
    cx, cy = (x1 + x2) / 2 / image.width, (y1 + y2) / 2 / image.height
    return Box(class_id, cx, cy, w, h, line, what)


def listed_size(width: object, height: object) -> tuple[int, int] | None:
    """Return the size in pixels that a label file gives an image, None if it gives none.

    Every format takes a number or its text, such as 64 or "64.0"; nothing, and 0, as tools
    write what they do not know, is no size.

    Raises:
        ValueError: If it is something else.
    """
    sides = [_whole(side) for side in (width, height)]
    if None in sides and any(sides):
        sides = [-1]  # one side alone
    if any(side is not None and side < 0 for side in sides):
        raise ValueError("expected whole numbers of pixels as width and height")
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def _whole(side: object) -> int | None:
    """Return a side in pixels, None if there is none, -1 if it is no whole number."""
    if side is None or (isinstance(side, str) and not side.strip()):
        return None
    try:
        number = float(side) if isinstance(side, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return -1
    whole = math.isfinite(number) and number == int(number) and not isinstance(side, bool)
    return int(number) if whole else -1


class WrongBoxError(ValueError):
    """A box that breaks a rule, which is an error."""


class NoObjectError(ValueError):
    """A box that marks no object, which is left out with a warning."""


def check_boxes(
    path: str, boxes: Iterable[Box], image: ImageFile, n_classes: int
) -> tuple[Labels, list[Problem]]:
    """Return the valid boxes, and the problems of the others.

    Args:
        path: The label file, for the problems.
        boxes: What it says.
        image: The image it is about.
        n_classes: Length of the class list.
    """
    rows: dict[tuple[float, ...], Box] = {}
    problems = []
    for box in boxes:
        try:
            row = _mend(box, image, n_classes)
        except WrongBoxError as error:
            problems.append(Problem(path, box.line, f"{box.what}{error}", "error"))
            continue
        except NoObjectError as error:
            problems.append(_left_out(path, box, str(error)))
            continue
        if row in rows:
            problems.append(_left_out(path, box, "repeats another box"))
        else:
            rows[row] = box
    for row in [row for row, box in rows.items() if _has_far_outline(box)]:
        rows[row] = rows[row]._replace(outline=None)
        reason = "an outline reaches far out of its image, left out: its box stays"
        problems.append(Problem(path, None, reason, "note"))
    table = np.array(list(rows)).reshape(-1, len(LABEL_FIELDS))
    polygons = None
    if any(box.outline is not None for box in rows.values()):
        polygons = tuple(map(_polygon, rows.values()))
    class_id = table[:, 0].astype(np.int64)
    return Labels(class_id, np.ascontiguousarray(table[:, 1:]), polygons), problems


def _has_far_outline(box: Box) -> bool:
    outline = box.outline or (0.0,)
    return min(outline) < -FAR_FRACTION or max(outline) > 1 + FAR_FRACTION


def _polygon(box: Box) -> FloatArray | None:
    if box.outline is None:
        return None
    return np.clip(np.array(box.outline, dtype=np.float64).reshape(-1, 2), 0.0, 1.0)


def _left_out(path: str, box: Box, reason: str) -> Problem:
    return Problem(path, box.line, f"{box.what}{reason}, left out", "warning")


def _mend(box: Box, image: ImageFile, n_classes: int) -> tuple[float, ...]:
    if not 0 <= box.class_id < n_classes:
        raise WrongBoxError(f"class {box.class_id} is out of range 0..{n_classes - 1}")
    if not all(map(math.isfinite, (*box[1:5], *(box.outline or ())))):
        raise WrongBoxError("expected finite numbers")
    if box.w < 0 or box.h < 0:
        raise WrongBoxError(
            f"negative width or height ({box.w:.6g} x {box.h:.6g} of the image)"
        )
    cx, w = _clip("x", box.cx, box.w, image.width)
    cy, h = _clip("y", box.cy, box.h, image.height)
    if w <= _EXACT or h <= _EXACT:
        raise NoObjectError("box without area")
    return float(box.class_id), cx, cy, w, h


def _clip(axis: str, centre: float, size: float, side_px: int) -> tuple[float, float]:
    low, high = centre - size / 2, centre + size / 2
    over = max(-low, high - 1.0)
    if over <= _EXACT:
        return centre, size
    if over * side_px > max(EDGE_PX, EDGE_FRACTION * side_px) * (1 + _EXACT):
        raise WrongBoxError(
            f"box out of range: {axis} from {low * side_px:.6g} to {high * side_px:.6g} px, "
            f"expected within 0 to {side_px}"
        )
    low, high = min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
    return (low + high) / 2, high - low
