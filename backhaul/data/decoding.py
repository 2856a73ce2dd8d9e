"""Decode an image as a training will, to know beforehand that it can be."""

from __future__ import annotations

import importlib.util
import threading
from contextlib import nullcontext

import numpy as np

from backhaul.data.images import ImageFile, UnreadableImageError, open_image

LARGE_PIXELS = 20_000_000
"""Of images with more, one is decoded at a time, whatever runs side by side."""
_one_large = threading.Lock()
_HAS_OPENCV = importlib.util.find_spec("cv2") is not None  # asked before threads import it


def require_decodable(image: ImageFile, data: bytes) -> None:
    """Decode the pixels of an image with OpenCV, or with Pillow where OpenCV is not installed.

    Args:
        image: What is known of it.
        data: Content of the file.

    Raises:
        UnreadableImageError: If its pixels cannot be decoded, or are not as many as declared.
    """
    decode = _with_opencv if _HAS_OPENCV else _with_pillow
    large = image.width * image.height > LARGE_PIXELS
    try:
        with _one_large if large else nullcontext():
            size = decode(data)
    except Exception as error:  # whatever a decoder raises where it meets broken data
        reason = f"its pixels cannot be decoded ({type(error).__name__})"
        raise UnreadableImageError(image.path, reason) from None
    if size is not None and sorted(size) != sorted((image.width, image.height)):
        width, height = size
        reason = f"declares {image.width} x {image.height} pixels, and has {width} x {height}"
        raise UnreadableImageError(image.path, reason)


def _with_opencv(data: bytes) -> tuple[int, int]:
    import cv2  # noqa: PLC0415 - not of the core

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("no pixels")
    return pixels.shape[1], pixels.shape[0]


def _with_pillow(data: bytes) -> None:
    with open_image(data) as image:
        image.load()
