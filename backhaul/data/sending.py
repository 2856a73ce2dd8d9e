"""Encode images in the form in which they are sent, on a node as well as at home.

It needs nothing but Pillow and NumPy, and its bytes follow from the image, what was seen in it,
the recipe, and the version of Pillow.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from backhaul.arrays import FloatArray, IntArray
from backhaul.data.headers import open_image
from backhaul.data.recipes import Prepared, SendCrops, SendReencoded
from backhaul.geometry import whole_pixels

SUFFIX = {"jpeg": ".jpg", "webp": ".webp"}

Region: TypeAlias = tuple[int, int, int, int]
"""Corners x1, y1, x2, y2 in pixels of the image as displayed, x2 and y2 exclusive."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An image or a part of it as it is sent.

    Args:
        data: Its file.
        region: What it shows of the image.
        size_px: Width and height of what was encoded, in pixels; smaller than those of
            `region` if it was scaled down.
    """

    data: bytes
    region: Region
    size_px: tuple[int, int]


def pieces_of(data: bytes, seen_xyxy: FloatArray, sending: Prepared) -> tuple[Piece, ...]:
    """Return what is sent of an image; nothing if its file itself takes no more bytes.

    Crops are sent where they take less than the whole image in the same quality. Where nothing
    was seen, the image is sent whole: what the detector misses is what it has to learn.

    Args:
        data: The image file.
        seen_xyxy: Corners of the objects that were seen in it, in pixels of the image as
            displayed, shape (n, 4); their order does not matter. Only crops depend on them.
        sending: In what form it is sent.

    Returns:
        The pieces, together smaller than `data`, by their corners; they share no pixel.

    Raises:
        Exception: Any that Pillow has for a broken file, or one too large for the format.
    """
    pixels, _ = decoded(data)
    whole: tuple[Piece, ...] = (_encoded(pixels, (0, 0, *pixels.size), sending),)
    options = [whole]
    if isinstance(sending, SendCrops) and len(seen_xyxy):
        regions = regions_around(seen_xyxy, pixels.size, sending.context, sending.min_px)
        options.insert(0, tuple(_encoded(pixels, region, sending) for region in regions))
    best = min(options, key=_size_bytes)
    return best if _size_bytes(best) < len(data) else ()


def regions_around(
    xyxy: FloatArray, size_px: tuple[int, int], context: float, min_px: int
) -> tuple[Region, ...]:
    """Return the parts of an image around boxes; those that would overlap are one.

    Args:
        xyxy: Corners of the boxes in pixels, shape (n, 4).
        size_px: Width and height of the image in pixels.
        context: Border on each side of a box, as a fraction of that side.
        min_px: Sides of a part are at least this long, as far as the image reaches.

    Returns:
        At most n regions inside the image, sorted.
    """
    boxes = whole_pixels(xyxy, context, *size_px).astype(np.int64)
    image = np.array(size_px, dtype=np.int64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], np.minimum(min_px, image))
    corner = np.clip((boxes[:, :2] + boxes[:, 2:] - sides) // 2, 0, image - sides)
    apart = _joined(np.hstack([corner, corner + sides]))
    return tuple(sorted((int(a), int(b), int(c), int(d)) for a, b, c, d in apart))


def _joined(boxes: IntArray) -> IntArray:
    """Return boxes of which no two share a pixel: those that do become the box around both."""
    while True:
        low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        shared = np.triu((low < high).all(axis=2), k=1)
        if not shared.any():
            return boxes
        one, other = np.argwhere(shared)[0]
        around = np.minimum(boxes[one], boxes[other])
        around[2:] = np.maximum(boxes[one, 2:], boxes[other, 2:])
        boxes = np.vstack([np.delete(boxes, [one, other], axis=0), around])


def _size_bytes(pieces: tuple[Piece, ...]) -> int:
    return sum(len(piece.data) for piece in pieces)


def decoded(data: bytes) -> tuple[Image.Image, str]:
    """Return an image as displayed, in RGB with 8 bits, and its format, as ``JPEG``.

    Args:
        data: The file.

    Raises:
        Exception: Any that Pillow has for a broken file.
    """
    with open_image(data) as image:
        kind = str(image.format)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode == "RGB":  # a copy would take half as long as decoding
            return image, kind
        if image.mode.startswith("I"):  # of 16 bits, which Pillow would cut off at 255
            return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert(
                "RGB"
            ), kind
        return image.convert("RGB"), kind


def _encoded(pixels: Image.Image, region: Region, sending: Prepared) -> Piece:
    part = pixels.crop(region)
    if isinstance(sending, SendReencoded) and sending.longest_side_px is not None:
        most = sending.longest_side_px
        part.thumbnail((most, most), Image.Resampling.BOX, reducing_gap=None)
    buffer = BytesIO()
    part.save(buffer, sending.format, quality=sending.quality, optimize=True)
    return Piece(buffer.getvalue(), region, part.size)
