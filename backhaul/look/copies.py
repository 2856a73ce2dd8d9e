"""Near-duplicates made of given images, to learn at which distance images are the same.

No labels are needed: of a few images of a camera, copies are made as its next frame may look
(shaken a little, in other light, compressed again), and what lies as near as these copies is a
near-duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from backhaul.arrays import Float32Array
from backhaul.values.offers import Nearness

Pixels: TypeAlias = NDArray[np.uint8]
"""An image in RGB, shape (height, width, 3)."""
Describe: TypeAlias = Callable[[Sequence[Pixels]], Float32Array]
"""From n images to a vector of each, shape (n, d)."""

MOST_SHIFT = 0.01
"""Of the width and of the height, by which the camera is shaken at most."""
MOST_GAIN = 0.2
"""By which all levels grow or shrink at most when the light changes."""
QUALITIES = (40, 90)
"""Least and greatest quality of JPEG."""
MOST_NEAR = 0.25
"""Greatest distance that is learned. Different scenes of digits are .38 apart and more, blood
cells .62; nearer are only frames of one camera, of the scene that it watches."""

_REPEATS = 2  # copies of each kind of a frame: of one alone the distance varies by a fifth


def shifted(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the image as a camera sees it that moved; its edges are repeated."""
    far = [rng.uniform(-MOST_SHIFT, MOST_SHIFT) * side for side in image.shape[:2]]
    rows, columns = (
        np.clip(np.arange(side) + round(by), 0, side - 1)
        for side, by in zip(image.shape[:2], far, strict=True)
    )
    moved: Pixels = image[rows[:, None], columns]
    return moved


def relit(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the image in more or less light."""
    gain = rng.uniform(1 - MOST_GAIN, 1 + MOST_GAIN)
    return (image * gain).round().clip(0, 255).astype(np.uint8)


def compressed(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the image after it was a JPEG."""
    buffer = BytesIO()
    quality = int(rng.integers(*QUALITIES, endpoint=True))
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    buffer.seek(0)
    return np.asarray(JpegImageFile(buffer))


def learn_nearness(
    images: Sequence[Pixels],
    looks: Describe,
    features: Describe | None = None,
    *,
    share: float = 0.98,
    rng: np.random.Generator,
) -> Nearness:
    """Return which images look the same: those as near as copies are to their images.

    With features, these are weighted so that as many copies lie near by them as by descriptors,
    and the distance is that of both as one vector: what is near is near in both. It is
    `MOST_NEAR` at most, as beyond that frames join that differ.

    Args:
        images: At least one; about 50 different frames of the cameras in question.
        looks: Makes descriptors of images.
        features: Makes features of images; None = descriptors alone tell.
        share: Of the copies of each kind, how many must be as near as that, in (0, 1]. With .98
            of 100 copies, 95 % of any others are as near, 19 times out of 20.
        rng: Draws how the copies differ.
    """
    apart = _distances(images, [looks] if features is None else [looks, features], rng)
    near = _joining(apart[:, 0], share)
    if features is None or (scale := _joining(apart[:, 1], share)) == 0:
        return Nearness(min(near, MOST_NEAR))
    weight = near / scale
    both = np.hypot(apart[:, 0], weight * apart[:, 1])
    return Nearness(min(_joining(both, share), MOST_NEAR), weight)


def _distances(
    images: Sequence[Pixels], spaces: Sequence[Describe], rng: np.random.Generator
) -> Float32Array:
    """Return how far copies are from their images, shape (kinds of copies, spaces, copies)."""
    own = [np.tile(describe(images), (_REPEATS, 1)) for describe in spaces]
    kinds = []
    for copy in (shifted, relit, compressed):
        made = [copy(image, rng) for _ in range(_REPEATS) for image in images]
        away = [describe(made) - of for describe, of in zip(spaces, own, strict=True)]
        kinds.append([np.linalg.norm(each, axis=1) for each in away])
    return np.array(kinds, np.float32)


def _joining(distances: Float32Array, share: float) -> float:
    """Return the distance within which this share of the copies of each kind are."""
    return float(np.quantile(distances, share, axis=1, method="higher").max())
