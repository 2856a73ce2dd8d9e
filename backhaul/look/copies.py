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


def joining_distance(
    images: Sequence[Pixels],
    describe: Describe,
    *,
    share: float = 0.95,
    rng: np.random.Generator,
) -> float:
    """Return the distance of vectors within which images are near-duplicates.

    Args:
        images: At least one; about 50 different frames of the cameras in question.
        describe: Makes vectors of images: descriptors, or features of a detector.
        share: Of the copies of each kind, how many must be as near as that, in (0, 1].
        rng: Draws how the copies differ.
    """
    own = describe(images)
    distances = [
        np.linalg.norm(describe([copy(image, rng) for image in images]) - own, axis=1)
        for copy in (shifted, relit, compressed)
    ]
    return float(np.quantile(distances, share, axis=1, method="higher").max())
