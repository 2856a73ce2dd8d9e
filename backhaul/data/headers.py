"""What an image file says of itself before its pixels are decoded."""

from __future__ import annotations

import struct
from io import BytesIO

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile as PillowImage
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from backhaul.data.limits import PILLOW_PIXELS

# Not `Image.open`: Ultralytics replaces it by a version that starts to install packages when a
# file is no image.
_DECODERS: tuple[tuple[bytes, type[PillowImage]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"BM", BmpImageFile),
    (b"RIFF", WebPImageFile),
)
_START_OF_SCAN, _END_OF_JPEG = b"\xff\xda", b"\xff\xd9"
_SCANNED_PIXELS = 2_000_000_000  # of all scans of a JPEG, each of which goes through all pixels
_RUN_LENGTHS = (1, 2)  # of a BMP; Pillow goes through them in Python
_ORIENTATION = 0x0112  # EXIF 2.3, table 4
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height


def open_image(data: bytes, most_pixels: int = PILLOW_PIXELS) -> PillowImage:
    """Return the image encoded in `data`, not yet decoded.

    Args:
        data: Content of the file.
        most_pixels: Most that it may declare.

    Raises:
        ValueError: If it is none of the formats of `backhaul.data.images.IMAGE_SUFFIXES`, or
            declares too much; a damaged one may also raise SyntaxError, EOFError or OSError,
            here or when it is decoded.
    """
    if data[8:12] == b"WEBP":
        _require_bounded(*_declared_in_webp(data), most_pixels)  # Pillow decodes when it opens
    for signature, decoder in _DECODERS:
        if data.startswith(signature):
            image = decoder(BytesIO(data))
            _require_bounded(*image.size, most_pixels)
            return image
    raise ValueError("is no jpg, png, bmp or webp image" if data else "the file is empty")


def _require_bounded(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise ValueError(
            f"declares {width} x {height} pixels, expected at most {most:,} "
            "(limits.image_pixels)"
        )


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


def require_complete(image: PillowImage, data: bytes) -> None:
    """Do nothing if the structure of a file shows that it is whole.

    A JPEG that does not end as it should, and a plain BMP, are decoded for it.

    Raises:
        Exception: Any that Pillow has for a broken file.
    """
    match image.format:
        case "PNG":
            image.verify()  # checksum of every chunk, without decoding
        case "JPEG":
            _require_few_scans(image, data)
            if not data.endswith(_END_OF_JPEG):
                image.load()
        case "BMP" if image.info.get("compression") not in _RUN_LENGTHS:
            image.load()


def _require_few_scans(image: PillowImage, data: bytes) -> None:
    scans = data.count(_START_OF_SCAN)
    width, height = image.size
    if scans * width * height > max(_SCANNED_PIXELS, width * height):
        raise ValueError(
            f"has {scans:,} scans of {width} x {height} pixels, more than encoders"
        )
