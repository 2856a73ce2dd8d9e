"""The labelled objects in one image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.geometry import xywhn_to_xyxy, xyxy_to_xywhn
from backhaul.values.columns import Schema

Polygons: TypeAlias = tuple[FloatArray | None, ...]

ROUNDING = 1e-9
"""Part of an area that boxes given as fractions may lose: a whole one is still whole."""
SAME_BOX = 1e-5  # normalised; label formats round to six decimals
LABEL_FIELDS: Schema = {
    "class_id": "int32",
    "cx": "float64",
    "cy": "float64",
    "w": "float64",
    "h": "float64",
}
"""What is stored of each object besides its outline."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labelled objects of one image: their classes, boxes and, where known, outlines.

    Args:
        class_id: Classes, shape (n,).
        xywhn: Boxes as centre, width and height in fractions of the image, shape (n, 4).
        polygons: Outline of each object, corners in fractions of the image of shape (m, 2), or
            None for an object without one; None = no object has one.

    Raises:
        ValueError: If the shapes do not belong together.
    """

    class_id: IntArray
    xywhn: FloatArray
    polygons: Polygons | None = None

    def __post_init__(self) -> None:
        n = self.class_id.size
        if self.class_id.shape != (n,) or self.class_id.dtype != np.int64:
            raise ValueError(f"expected class_id as int64 of shape (n,), got {self.class_id!r}")
        if self.xywhn.shape != (n, 4) or self.xywhn.dtype != np.float64:
            raise ValueError(f"expected xywhn as float64 of shape ({n}, 4), got {self.xywhn!r}")
        if self.polygons is not None:
            _check_polygons(self.polygons, n)

    @staticmethod
    def empty() -> Labels:
        """Return the labels of an image without objects."""
        return Labels(np.zeros(0, dtype=np.int64), np.zeros((0, 4)))

    @staticmethod
    def from_rows(rows: npt.ArrayLike) -> Labels:
        """Return the labels whose rows are class_id, cx, cy, w, h, as in Darknet's files.

        Raises:
            ValueError: If `rows` is not of shape (n, 5) or empty, or a class is no number >= 0
                without decimals.
        """
        table = np.asarray(rows, dtype=np.float64)
        table = table.reshape(0, len(LABEL_FIELDS)) if table.size == 0 else table
        if table.shape != (len(table), len(LABEL_FIELDS)):
            raise ValueError(f"expected labels of shape (n, 5), got {table.shape}")
        class_id = table[:, 0].astype(np.int64)
        if not np.array_equal(class_id, table[:, 0]) or (class_id < 0).any():
            raise ValueError(f"expected classes 0, 1, 2, ..., got {table[:, 0].tolist()}")
        return Labels(class_id, np.ascontiguousarray(table[:, 1:]))

    @staticmethod
    def from_xyxy(
        class_id: IntArray, xyxy: FloatArray, width_px: float, height_px: float
    ) -> Labels:
        """Return the labels of boxes with these corners.

        Args:
            class_id: Classes, shape (n,).
            xyxy: Corners in pixels, shape (n, 4).
            width_px: Of the image.
            height_px: Of the image.
        """
        return Labels(class_id, xyxy_to_xywhn(xyxy, width_px, height_px))

    @staticmethod
    def concat(parts: Iterable[Labels]) -> Labels:
        """Return all objects of `parts`, in order."""
        every = [Labels.empty(), *parts]
        polygons: Polygons | None = None
        if any(part.polygons is not None for part in every):
            polygons = tuple(p for part in every for p in part.polygons or (None,) * len(part))
        return Labels(
            np.concatenate([part.class_id for part in every]),
            np.concatenate([part.xywhn for part in every]),
            polygons,
        )

    def __len__(self) -> int:
        return self.class_id.size

    def __repr__(self) -> str:
        return f"Labels.from_rows({self.rows().tolist()})"

    def take(self, rows: IntArray | BoolArray) -> Labels:
        """Return the objects at `rows`: positions, in that order, or a mask of shape (n,)."""
        polygons = self.polygons
        if polygons is not None:
            polygons = tuple(polygons[row] for row in np.arange(len(self))[rows])
        return Labels(self.class_id[rows], self.xywhn[rows], polygons)

    def xyxy(self, width_px: float, height_px: float) -> FloatArray:
        """Return the corners of the boxes in an image of this size, in pixels, shape (n, 4)."""
        return xywhn_to_xyxy(self.xywhn, width_px, height_px)

    def rows(self) -> FloatArray:
        """Return class_id, cx, cy, w, h as in Darknet's files, shape (n, 5)."""
        return np.column_stack([self.class_id, self.xywhn])

    def same_as(self, other: Labels) -> bool:
        """Return whether both have the same boxes, in any order, up to `SAME_BOX`."""
        if len(self) != len(other):
            return False
        mine, others = (_in_order(labels.rows()) for labels in (self, other))
        return bool(np.allclose(mine, others, rtol=0, atol=SAME_BOX))


def labels_inside(
    labels: Labels, crop: FloatArray, size: tuple[int, int], min_visibility: float
) -> Labels:
    """Return the labels of a crop, in its coordinates.

    A box goes with the crop if at least `min_visibility` of its area, and any area at all, lies
    inside; what lies outside is cut off.

    Args:
        labels: Those of the whole image; outlines are left out.
        crop: Corners of the crop in pixels of the image, shape (4,).
        size: Width and height of the image in pixels.
        min_visibility: Least fraction of a box's area.

    Returns:
        Those that go with the crop, in the order of `labels`.
    """
    boxes = np.clip(labels.xyxy(*size), 0, [*size, *size])
    corner, sides = crop[:2], crop[2:] - crop[:2]
    inside = np.clip(boxes, np.tile(corner, 2), np.tile(crop[2:], 2))
    area, visible = _areas(boxes), _areas(inside)
    kept = (visible > 0) & (visible >= min_visibility * area * (1 - ROUNDING))
    return Labels.from_xyxy(labels.class_id[kept], inside[kept] - np.tile(corner, 2), *sides)


def _in_order(rows: FloatArray) -> FloatArray:
    steps = np.round(rows / SAME_BOX)
    return np.asarray(rows[np.lexsort(steps.T[::-1])])


def _check_polygons(polygons: Sequence[FloatArray | None], n: int) -> None:
    if len(polygons) != n:
        raise ValueError(f"expected a polygon or None for each of {n}, got {len(polygons)}")
    for polygon in polygons:
        if polygon is not None and (polygon.ndim != 2 or polygon.shape[1] != 2):  # noqa: PLR2004 - corners
            raise ValueError(f"expected a polygon of shape (m, 2), got {polygon.shape}")


def _areas(xyxy: FloatArray) -> FloatArray:
    areas: FloatArray = np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    return areas
