"""Boxes around polygons, turned boxes and ellipses, given in pixels.

A turned box or an ellipse may reach over the edge of its image, as the object in it does not:
what is over is cut off, if its centre is in the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from backhaul.data.formats.checks import Box, box_of_corners, box_of_outline
from backhaul.data.images import ImageFile

Outline = tuple[float, ...]
"""A polygon's corners as x, y, x, y, ... in pixels."""

LEAST_NUMBERS = 6
"""Of a polygon: three corners."""


def is_outline(numbers: Sequence[float]) -> bool:
    """Return whether there are numbers for a polygon, all finite."""
    enough = len(numbers) >= LEAST_NUMBERS and len(numbers) % 2 == 0
    return enough and all(map(math.isfinite, numbers))


def in_fractions(outline: Outline, image: ImageFile) -> Outline:
    """Return a polygon in fractions of the image's sides."""
    sides = (image.width, image.height)
    return tuple(value / sides[place % 2] for place, value in enumerate(outline))


def box_around(
    class_id: int, outlines: Sequence[Outline], image: ImageFile, what: str = ""
) -> Box:
    """Return the box around an object of one polygon, which it keeps, or of several.

    Args:
        class_id: Its class.
        outlines: Its polygons, one at least: parts of one object have several.
        image: The image that it is in.
        what: Where in the file it is, like "object 3: ", or empty.
    """
    if len(outlines) == 1:
        return box_of_outline(class_id, in_fractions(outlines[0], image), None, what)
    xs = [x for outline in outlines for x in outline[::2]]
    ys = [y for outline in outlines for y in outline[1::2]]
    return box_of_corners(class_id, (min(xs), min(ys), max(xs), max(ys)), image, what=what)


def turned_box(
    centre: tuple[float, float], size: tuple[float, float], angle: float, image: ImageFile
) -> Outline:
    """Return the corners of a box turned about its centre.

    Args:
        centre: x and y, pixels.
        size: Width and height before it is turned, pixels.
        angle: Clockwise as seen, radians.
        image: The image that it is in.
    """
    (w, h), cos, sin = size, math.cos(angle), math.sin(angle)
    outline: list[float] = []
    for sign_x, sign_y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        dx, dy = sign_x * w / 2, sign_y * h / 2
        outline += (centre[0] + dx * cos - dy * sin, centre[1] + dx * sin + dy * cos)
    return _cut(tuple(outline), centre, image)


def box_of_ellipse(
    centre: tuple[float, float], radii: tuple[float, float], angle: float, image: ImageFile
) -> tuple[float, float, float, float]:
    """Return the corners x1, y1, x2, y2 of the box around an ellipse, see `turned_box`."""
    (rx, ry), cos, sin = radii, math.cos(angle), math.sin(angle)
    half_w, half_h = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
    x, y = centre
    corners = (x - half_w, y - half_h, x + half_w, y + half_h)
    x1, y1, x2, y2 = _cut(corners, centre, image)
    return x1, y1, x2, y2


def _cut(points: Outline, centre: tuple[float, float], image: ImageFile) -> Outline:
    sides = (image.width, image.height)
    if not all(0 <= value <= side for value, side in zip(centre, sides, strict=True)):
        return points  # which the check of boxes then refuses
    return tuple(min(max(v, 0.0), float(sides[i % 2])) for i, v in enumerate(points))
