"""Decode an image as a training will, to know beforehand that it can be."""

from __future__ import annotations

import numpy as np

from backhaul.data.headers import open_image


def decoder() -> str:
    """Return the name of the library that `decoded_size` decodes with."""
    try:
        import cv2  # noqa: F401, PLC0415 - not of the core
    except ImportError:
        return "Pillow"
    return "OpenCV"


def decoded_size(data: bytes, declared: tuple[int, int]) -> tuple[int, int]:
    """Decode the pixels of an image with OpenCV, or with Pillow where OpenCV is not installed.

    Args:
        data: Content of the file.
        declared: Width and height as its header has them, with the EXIF orientation applied.

    Returns:
        Width and height as displayed by that decoder.

    Raises:
        ValueError: If its pixels cannot be decoded, or are not as many as declared.
    """
    decode = _with_opencv if decoder() == "OpenCV" else _with_pillow
    try:
        size = decode(data) or declared
    except Exception as error:  # whatever a decoder raises where it meets broken data
        raise ValueError(f"its pixels cannot be decoded ({type(error).__name__})") from None
    if sorted(size) != sorted(declared):
        raise ValueError(
            f"declares {declared[0]} x {declared[1]} pixels, and has {size[0]} x {size[1]}"
        )
    return size


def _with_opencv(data: bytes) -> tuple[int, int]:
    import cv2  # noqa: PLC0415 - not of the core

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("no pixels")
    return pixels.shape[1], pixels.shape[0]


def _with_pillow(data: bytes) -> None:
    with open_image(data) as image:
        image.load()
