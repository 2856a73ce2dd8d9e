"""Images as a detector gets them: decoded, and scaled into a padded square."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from backhaul.arrays import FloatArray
from backhaul.errors import InputError

PADDING = 114
"""Grey that Ultralytics pads letterboxed images with."""


@dataclass(frozen=True, slots=True, eq=False)
class Letterbox:
    """An image scaled into a padded square, and where it lies there.

    Args:
        pixels: The square, RGB, shape (size, size, 3).
        scale: Pixels of the square a pixel of the image.
        left: Padding on the left of the image, pixels of the square.
        top: Padding above it.
        width: Width of the image, its own pixels.
        height: Its height.
    """

    pixels: npt.NDArray[np.uint8]
    scale: float
    left: int
    top: int
    width: int
    height: int

    def in_image(self, xyxy: FloatArray) -> FloatArray:
        """Return boxes in pixels of the image, clipped to it, shape (n, 4).

        Args:
            xyxy: Corners in pixels of the square.
        """
        corners = (xyxy.astype(np.float64) - [self.left, self.top] * 2) / self.scale
        return corners.clip(0, [self.width, self.height] * 2)


def read_pixels(path: str) -> npt.NDArray[np.uint8]:
    """Return the image in a file as displayed, RGB, shape (height, width, 3).

    Raises:
        InputError: If it cannot be decoded.
    """
    image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path}: cannot be read as an image")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def letterbox(image: npt.NDArray[np.uint8], size: int) -> Letterbox:
    """Return an image scaled into a square, in its middle, as Ultralytics' validator does.

    Args:
        image: RGB, shape (height, width, 3).
        size: Side of the square, pixels.
    """
    height, width = image.shape[:2]
    scale = min(size / height, size / width)
    new = (max(1, round(width * scale)), max(1, round(height * scale)))
    if new != (width, height):
        image = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    left, top = (size - new[0]) // 2, (size - new[1]) // 2
    square = np.full((size, size, 3), PADDING, dtype=np.uint8)
    square[top : top + new[1], left : left + new[0]] = image
    return Letterbox(square, scale, left, top, width, height)
