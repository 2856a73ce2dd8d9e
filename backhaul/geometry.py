"""Geometry of boxes: `xyxy` are corners, `xywhn` normalised centre and size."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import FloatArray


def iou(xyxy: FloatArray, other: FloatArray) -> FloatArray:
    """Return the intersection over union of boxes that broadcast against each other.

    Args:
        xyxy: Corners x1, y1, x2, y2 in any one unit, shape (..., 4).
        other: Corners in the same unit, of a shape that broadcasts with `xyxy`.

    Returns:
        Values in [0, 1], the broadcast shape without its last axis; 0 where both areas are 0.

    Example:
        >>> float(iou(np.array([0.0, 0.0, 2.0, 2.0]), np.array([1.0, 0.0, 2.0, 2.0])))
        0.5
    """
    x1, y1, x2, y2 = np.moveaxis(xyxy, -1, 0)
    u1, v1, u2, v2 = np.moveaxis(other, -1, 0)
    width = np.maximum(np.minimum(x2, u2) - np.maximum(x1, u1), 0.0)
    height = np.maximum(np.minimum(y2, v2) - np.maximum(y1, v1), 0.0)
    shared = width * height
    total = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared
    ratio: FloatArray = shared / np.where(total > 0.0, total, 1.0)
    return ratio


def pairwise_iou(xyxy: FloatArray, other: FloatArray) -> FloatArray:
    """Return the IoU of each of n boxes with each of m, shape (n, m)."""
    return iou(xyxy[:, None, :], other[None, :, :])


def xywhn_to_xyxy(xywhn: FloatArray, width_px: float, height_px: float) -> FloatArray:
    """Convert boxes from normalised centre and size to corners in pixels, shape (n, 4).

    Args:
        xywhn: Centre x, centre y, width, height as fractions of the image, shape (n, 4).
        width_px: Width of the image in pixels.
        height_px: Height of the image in pixels.
    """
    half = xywhn[:, 2:] / 2.0
    corners = np.concatenate([xywhn[:, :2] - half, xywhn[:, :2] + half], axis=1)
    return corners * [width_px, height_px, width_px, height_px]


def xyxy_to_xywhn(xyxy: FloatArray, width_px: float, height_px: float) -> FloatArray:
    """Convert boxes from corners in pixels to normalised centre and size, shape (n, 4).

    Args:
        xyxy: Corners x1, y1, x2, y2 in pixels, shape (n, 4).
        width_px: Width of the image in pixels.
        height_px: Height of the image in pixels.
    """
    centre_size = np.concatenate(
        [(xyxy[:, :2] + xyxy[:, 2:]) / 2.0, xyxy[:, 2:] - xyxy[:, :2]], axis=1
    )
    return centre_size / [width_px, height_px, width_px, height_px]


def whole_pixels(xyxy: FloatArray, margin: float, width: int, height: int) -> FloatArray:
    """Return boxes of shape (n, 4) with a margin, clipped to the image, in whole pixels.

    Edges go to the nearest pixel, so boxes without common area have none afterwards either, if
    there is no margin.

    Args:
        xyxy: Corners in pixels.
        margin: Border on each side, as a fraction of the box's side.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
    """
    border = np.tile(xyxy[:, 2:] - xyxy[:, :2], 2) * [-margin, -margin, margin, margin]
    pixels: FloatArray = np.rint(np.clip(xyxy + border, 0, [width, height, width, height]))
    return pixels
