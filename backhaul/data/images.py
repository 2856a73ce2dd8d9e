"""Properties of an image file: identity, size as displayed, length in bytes."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile as PillowImage
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from backhaul.errors import InputError

OnProgress: TypeAlias = Callable[[int, int], None]
"""Called with how many images are done, and how many there are."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
"""Suffixes of images, in lower case; files have them in any case."""

# Not `Image.open`: Ultralytics replaces it by a version that starts to install packages when a
# file is no image.
_DECODERS: tuple[tuple[bytes, type[PillowImage]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"BM", BmpImageFile),
    (b"RIFF", WebPImageFile),
)
_MOST_PIXELS = 178_956_970  # where Pillow's own `open` refuses; half a gigabyte, decoded
_END_OF_JPEG = b"\xff\xd9"
_ORIENTATION = 0x0112  # EXIF 2.3, table 4
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_CHUNK = 64  # images a thread takes at once


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A readable image file.

    Args:
        path: Path of the file.
        image_id: First 32 hexadecimal digits of the SHA-256 of its bytes.
        width: Width in pixels as displayed, that is with the EXIF orientation applied.
        height: Height in pixels as displayed.
        size_bytes: Length of the file.
    """

    path: str
    image_id: str
    width: int
    height: int
    size_bytes: int


class UnreadableImageError(InputError):
    """An image file that cannot be read, or that is truncated."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def is_image(name: str) -> bool:
    """Return whether a file with this name is treated as an image.

    Example:
        >>> is_image("a.b/Straße 1.JPEG"), is_image("notes.txt")
        (True, False)
    """
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - a name, no path


def probe(path: str) -> ImageFile:
    """Return identity and size of the image at `path`.

    Raises:
        UnreadableImageError: If the file is missing, no image, or truncated.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UnreadableImageError(path, error.strerror or str(error)) from None
    return probe_bytes(path, data)


def probe_bytes(path: str, data: bytes) -> ImageFile:
    """Return identity and size of the image with the content `data`; `path` is its name.

    The pixels are decoded only if the file's structure does not show that it is complete.

    Raises:
        UnreadableImageError: If it is no image, or truncated.
    """
    try:
        with open_image(data) as image:
            width, height = image.size
            _require_bounded(width, height)
            if is_turned(image):
                width, height = height, width
            _require_complete(image, data)
    except Exception as error:  # whatever a decoder raises where it meets broken data
        raise UnreadableImageError(path, _reason(error)) from None
    image_id = hashlib.sha256(data).hexdigest()[:32]
    return ImageFile(path, image_id, width, height, len(data))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError | SyntaxError | ValueError | EOFError) and str(error):
        return str(getattr(error, "strerror", None) or error)
    return f"is broken ({type(error).__name__})"


Prober: TypeAlias = Callable[[str], ImageFile]
"""What `probe` is: from a path to what is known of the image, or an `UnreadableImageError`."""


@dataclass(frozen=True, slots=True)
class ImageReader:
    """Reads what is known of many images, in threads.

    Args:
        probe: Reads one; another than `probe` for images that are not on this disk.
        at_once: Threads that read; None = as many as the machine has use for.
        on_progress: Called with how many images are read, and how many there are.
        within: The folder that no path in a data set may lead out of; None = it may name files
            anywhere on this machine, as its user can.
    """

    probe: Prober = probe
    at_once: int | None = None
    on_progress: OnProgress | None = None
    within: str | None = None

    def may_read(self, path: str) -> bool:
        """Return whether a path without ``..`` leads to where the data set may read."""
        return self.within is None or f"{path}/".startswith(f"{self.within}/")

    def read(self, paths: Sequence[str]) -> list[ImageFile | UnreadableImageError]:
        """Return identity and size of each image, in the order of `paths`."""
        chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
        results: list[ImageFile | UnreadableImageError] = []

        def probe_chunk(chunk: Sequence[str]) -> list[ImageFile | UnreadableImageError]:
            return [_probe_or_error(self.probe, path) for path in chunk]

        with ThreadPoolExecutor(self.at_once) as threads:
            for chunk in threads.map(probe_chunk, chunks):
                results += chunk
                if self.on_progress is not None:
                    self.on_progress(len(results), len(paths))
        return results


FROM_DISK = ImageReader()
"""Reads images of this disk, and says nothing of it."""


def _probe_or_error(prober: Prober, path: str) -> ImageFile | UnreadableImageError:
    try:
        return prober(path)
    except UnreadableImageError as error:
        return error


def open_image(data: bytes) -> PillowImage:
    """Return the image encoded in `data`, not yet decoded.

    Raises:
        ValueError: If it is none of the formats of `IMAGE_SUFFIXES`; a damaged one may also
            raise SyntaxError, EOFError or OSError, here or when it is decoded.
    """
    if data[8:12] == b"WEBP":
        _require_bounded(*_declared_in_webp(data))  # Pillow decodes it when it opens it
    for signature, decoder in _DECODERS:
        if data.startswith(signature):
            return decoder(BytesIO(data))
    raise ValueError("is no jpg, png, bmp or webp image" if data else "the file is empty")


def _require_bounded(width: int, height: int) -> None:
    if width * height > _MOST_PIXELS:
        raise ValueError(f"{width} x {height} pixels are too many")


def _declared_in_webp(data: bytes) -> tuple[int, int]:
    """Return the width and height that a WebP file declares (RFC 9649, sections 2.5 to 2.7)."""
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + _little(head[4:7]), 1 + _little(head[7:10])
    if kind == b"VP8L":
        bits = _little(head[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return _little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def is_turned(image: PillowImage) -> bool:
    """Return whether the EXIF orientation swaps width and height."""
    if not image.info.get("exif"):
        return False
    tags = Image.Exif()
    try:
        tags.load(image.info["exif"])
        return tags.get(_ORIENTATION) in _TURNED
    except (SyntaxError, ValueError, struct.error):
        return False  # OpenCV, too, shows an image with damaged EXIF data as it is stored


def _require_complete(image: PillowImage, data: bytes) -> None:
    if image.format == "PNG":
        image.verify()  # checksum of every chunk, without decoding
    elif image.format != "JPEG" or not data.endswith(_END_OF_JPEG):
        image.load()
