"""Images read and made small for pages."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from PIL import ImageOps

from backhaul.data.headers import is_turned, open_image
from backhaul.errors import InputError
from backhaul.untrusted import read_bytes

JPEG_QUALITY = 72
_MOST_BYTES = 100 * 2**20  # of an image

Fetch: TypeAlias = Callable[[str], bytes | None]
"""Returns the content of an image that has an address, such as s3://; None if it has none."""


class SmallPicture(NamedTuple):
    """A JPEG of an image, and the width and height of the image as displayed."""

    jpeg: bytes
    width: int
    height: int


def read_picture(file: str, folder: Path, fetch: Fetch | None) -> bytes | None:
    """Return the content of an image; None if it is gone or cannot be read.

    Args:
        file: Its path or address.
        folder: Where a relative path starts.
        fetch: Reads images in object stores; None = they have no content.
    """
    if "://" in file and not file.startswith("file:"):
        return fetch(file) if fetch else None
    path = unquote(urlsplit(file).path) if file.startswith("file:") else file
    try:
        return read_bytes(folder / path, _MOST_BYTES)
    except InputError:
        return None  # gone, or no path at all: pages show a placeholder


def shrink(content: bytes, side_px: int) -> SmallPicture | None:
    """Return an image that is no larger than `side_px` by `side_px`; None if it is broken."""
    try:
        with open_image(content) as image:
            width, height = image.size
            if is_turned(image):
                width, height = height, width
            image.draft("RGB", (2 * side_px, 2 * side_px))  # decodes large JPEGs faster
            small = ImageOps.exif_transpose(image).convert("RGB")
        small.thumbnail((side_px, side_px))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    except Exception:  # whatever a decoder raises where it meets broken data
        return None
    return SmallPicture(buffer.getvalue(), width, height)
