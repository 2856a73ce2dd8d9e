"""Descriptors of what images look like, by colour and texture, without any network.

A descriptor holds the lightness of 16 x 16 cells, and of 8 x 8 cells the two opponent colours
and the strength of edges. Similar images have near descriptors, also where the camera shook a
little, or the light changed: Oklab (Ottosson, 2020) scales with the cube root of light, so what
is divided by its own contrast keeps its value in any light.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from backhaul.arrays import Float32Array
from backhaul.data.headers import open_image
from backhaul.errors import InputError

N_VALUES = 16 * 16 + 3 * 8 * 8 + 1
"""Length of a descriptor."""

_SIDE_PX = 32
_SAMPLES = 4  # along each side of one of the 32 x 32 pixels: more only cost time
_READ_PX = _SAMPLES * _SIDE_PX
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_LEVELS = np.arange(256, dtype=np.float32) / 255
_DARKEST = 0.04045  # up to here sRGB is linear (IEC 61966-2-1)
_LIGHT = np.where(_LEVELS <= _DARKEST, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)
_LIGHT = _LIGHT.astype(np.float32)
_FAINT = 0.05  # contrast at which the noise of a camera would begin to count
_COLOUR, _EDGES, _BRIGHTNESS = 2.0, 1.0, 0.1  # weights beside lightness


def descriptor(pixels: NDArray[np.uint8]) -> Float32Array:
    """Return a vector of an image's colours and textures, shape (449,).

    The distance of two images is that of their vectors, about 1 for unrelated ones.

    Args:
        pixels: The image as displayed, in RGB, shape (height, width, 3).
    """
    lab = _oklab(_thumbnail(pixels))
    lightness = lab[..., 0]
    mean, contrast = lightness.mean(), lightness.std() + _FAINT
    right, down = np.diff(lightness[:-1], axis=1), np.diff(lightness[:, :-1], axis=0)
    edges = np.pad(np.hypot(right, down), ((0, 1), (0, 1)), mode="edge")
    parts = (
        _cells(lightness - mean, 16) / contrast,
        _cells(lab[..., 1], 8) * (_COLOUR / contrast),
        _cells(lab[..., 2], 8) * (_COLOUR / contrast),
        _cells(edges, 8) * (_EDGES / contrast),
    )
    scaled = [part.ravel() / np.sqrt(part.size) for part in parts]
    return np.concatenate([*scaled, [mean * _BRIGHTNESS]], dtype=np.float32)


def lightness(vectors: Float32Array) -> Float32Array:
    """Return the mean lightness (Oklab, in [0, 1]) of images with descriptors, shape (n,)."""
    return vectors[:, -1] / np.float32(_BRIGHTNESS)


def describe_files(paths: Sequence[str]) -> Float32Array:
    """Return the descriptors of image files, shape (n, 449).

    Args:
        paths: The files, n of them; each is decoded once, as coarsely as suffices.

    Raises:
        InputError: If one cannot be read as an image.
    """
    vectors = [descriptor(decoded(path, _READ_PX)) for path in paths]
    return np.array(vectors, np.float32).reshape(len(vectors), N_VALUES)


def describe_content(content: bytes) -> Float32Array | None:
    """Return the descriptor of an image file's content, shape (449,); None if it is broken."""
    try:
        pixels = _pixels(content, _READ_PX)
    except Exception:  # whatever a decoder raises where it meets broken data
        return None
    return descriptor(pixels)


def decoded(path: str, side_px: int) -> NDArray[np.uint8]:
    """Return an image as displayed, in RGB, shape (height, width, 3).

    Args:
        path: Its file.
        side_px: Least length of its sides, if it has that: JPEG is decoded no finer than that.

    Raises:
        InputError: If it cannot be read as an image.
    """
    try:
        return _pixels(Path(path).read_bytes(), side_px)
    except Exception as error:  # whatever a decoder raises where it meets broken data
        raise InputError(f"{path}: cannot be read as an image") from error


def _pixels(content: bytes, side_px: int) -> NDArray[np.uint8]:
    with open_image(content) as image:
        image.draft("RGB", (side_px,) * 2)
        return _in_rgb(ImageOps.exif_transpose(image))


def _in_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels in RGB, of 16 bits the upper eight: Pillow makes all else white."""
    if image.mode.startswith("I"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = max(1, min(pixels.shape[:2]) // _READ_PX)
    sample = np.ascontiguousarray(pixels[step // 2 :: step, step // 2 :: step])
    small = Image.fromarray(sample).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    return np.asarray(small)


def _oklab(rgb: NDArray[np.uint8]) -> Float32Array:
    """Return lightness in [0, 1] and the opponent colours of pixels of sRGB."""
    lab: Float32Array = np.cbrt(_LIGHT[rgb] @ _TO_LMS.T) @ _TO_OKLAB.T
    return lab


def _cells(plane: Float32Array, n: int) -> Float32Array:
    """Return the means of n x n cells."""
    side = _SIDE_PX // n
    means: Float32Array = plane.reshape(n, side, n, side).mean(axis=(1, 3))
    return means
