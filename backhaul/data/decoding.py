"""Decode an image as a training will, to know beforehand that it can be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from backhaul.data.headers import open_image
from backhaul.data.likeness import SIDE_PX, likeness_hash

_SAMPLED_PX = 2 * SIDE_PX
_GREEN = 1  # of the three colours the nearest to brightness


class Decoded(NamedTuple):
    """Width and height of an image as displayed, and `likeness_hash` of its pixels."""

    width: int
    height: int
    likeness: int


def decoder_version() -> str:
    """Return what an image was decoded with, as it is remembered with what was seen."""
    if decoder() == "Pillow":
        return f"Pillow {PIL.__version__}"
    import cv2  # noqa: PLC0415 - not of the core

    return f"OpenCV {cv2.__version__}"


def decoder() -> str:
    """Return the name of the library that `decoded_size` decodes with."""
    try:
        import cv2  # noqa: F401, PLC0415 - not of the core
    except ImportError:
        return "Pillow"
    return "OpenCV"


def decode(data: bytes, declared: tuple[int, int]) -> Decoded:
    """Decode the pixels of an image with OpenCV, or with Pillow where OpenCV is not installed.

    Args:
        data: Content of the file.
        declared: Width and height as its header has them, with the EXIF orientation applied.

    Raises:
        ValueError: If its pixels cannot be decoded, or are not as many as declared.
    """
    look = _with_opencv if decoder() == "OpenCV" else _with_pillow
    try:
        size, grey = look(data)
    except Exception as error:  # whatever a decoder raises where it meets broken data
        raise ValueError(f"its pixels cannot be decoded ({type(error).__name__})") from None
    size = size or declared
    if sorted(size) != sorted(declared):
        raise ValueError(
            f"declares {declared[0]} x {declared[1]} pixels, and has {size[0]} x {size[1]}"
        )
    return Decoded(*size, likeness_hash(grey))


def _with_opencv(data: bytes) -> tuple[tuple[int, int], NDArray[np.uint8]]:
    import cv2  # noqa: PLC0415 - not of the core

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("no pixels")
    height, width = pixels.shape[:2]
    # averaging all pixels of a photo would take a third of the time that decoding it does
    sample = cv2.resize(pixels, (_SAMPLED_PX, _SAMPLED_PX), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(sample, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return (width, height), small[:, :, _GREEN].astype(np.uint8, copy=False)


def _with_pillow(data: bytes) -> tuple[None, NDArray[np.uint8]]:
    from PIL import Image  # noqa: PLC0415 - only where OpenCV is missing

    with open_image(data) as image:
        image.load()
        small = (
            image.convert("RGB")
            .getchannel("G")
            .resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
        )
    return None, np.asarray(small, dtype=np.uint8)
