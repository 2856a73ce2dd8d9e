"""What is done to the pixels of a frame before a model looks at them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from backhaul.arrays import Float32Array
from backhaul.node.settings import Gates, Mask

_SMALL_PX = 64


def masked(pixels: NDArray[np.uint8], masks: Sequence[Mask]) -> NDArray[np.uint8]:
    """Return a frame with parts of it black.

    Args:
        pixels: The frame, shape (height, width, 3).
        masks: The parts; a pixel that one touches is black.
    """
    height, width = pixels.shape[:2]
    covered = pixels.copy()
    for mask in masks:
        x1, y1, x2, y2 = mask.xyxy
        left, top = int(np.floor(x1 * width)), int(np.floor(y1 * height))
        right, bottom = int(np.ceil(x2 * width)), int(np.ceil(y2 * height))
        covered[top:bottom, left:right] = 0
    return covered


class Gate:
    """Tells frames that are not even looked at: dark, blurred, or the same as the one before.

    Args:
        gates: What is told, and from where on.
    """

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self._before: Float32Array | None = None

    def closed_by(self, pixels: NDArray[np.uint8]) -> str:
        """Return which gate a frame does not pass: dark, blurred or still; empty if none.

        Args:
            pixels: The frame in RGB, shape (height, width, 3).
        """
        gates = self._gates
        if gates == Gates():
            return ""
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA)
        now = small.astype(np.float32)
        before, self._before = self._before, now
        if gates.dark is not None and now.mean() < gates.dark * 255:
            return "dark"
        if gates.blurred is not None and cv2.Laplacian(grey, cv2.CV_64F).var() < gates.blurred:
            return "blurred"
        if gates.still is not None and before is not None:
            return "still" if np.abs(now - before).mean() < gates.still else ""
        return ""
