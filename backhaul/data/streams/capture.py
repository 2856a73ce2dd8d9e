"""What a camera makes of a scene: small shifts, light, noise, and JPEG files of any quality."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from backhaul.arrays import IntArray
from backhaul.values.labels import Labels

Pixels: TypeAlias = npt.NDArray[np.uint8]

SHIFT = 0.02
"""Most that a frame is shifted by, of each side."""
GAIN, OFFSET = (0.9, 1.1), (-8.0, 8.0)
"""Range of the light: what grey values are multiplied by, and what is added, of 255."""
NOISE = (2.0, 8.0)
"""Range of the standard deviation of the sensor's noise, of 255."""
QUALITY = (65, 99)
"""Range of the quality of JPEG files, which then differ in size by a factor of five."""

_VISIBLE = 0.5  # of an object's area: less of it at the edge is no object any more


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to be seen.

    Args:
        name: Names it among all scenes of a stream.
        pixels: Its image in colour, shape (height, width, 3).
        labels: Its objects.
    """

    name: str
    pixels: Pixels
    labels: Labels


def capture(scene: Scene, rng: np.random.Generator) -> tuple[bytes, Labels]:
    """Return a frame that shows a scene, as a JPEG file, and its objects.

    Args:
        scene: The scene.
        rng: The only source of randomness.
    """
    height, width = scene.pixels.shape[:2]
    most = np.round(np.array([width, height]) * SHIFT).astype(np.int64)
    moved = shifted(scene, rng.integers(-most, most, endpoint=True))
    light = moved.pixels * np.float32(rng.uniform(*GAIN)) + np.float32(rng.uniform(*OFFSET))
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    noisy = light + noise * np.float32(rng.uniform(*NOISE))
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    quality = int(rng.integers(*QUALITY, endpoint=True))
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return jpeg.tobytes(), moved.labels


def shifted(scene: Scene, by_px: IntArray) -> Scene:
    """Return a scene moved to the right and down, its edge repeated, its boxes moved along.

    Objects of which less than half is left at the edge are none any more.

    Args:
        scene: The scene.
        by_px: How far, x and y, shape (2,).
    """
    height, width = scene.pixels.shape[:2]
    x, y = (int(value) for value in by_px)
    rows = np.clip(np.arange(height) - y, 0, height - 1)
    columns = np.clip(np.arange(width) - x, 0, width - 1)
    xyxy = scene.labels.xyxy(width, height) + np.array([x, y, x, y], dtype=np.float64)
    sides = np.array([width, height, width, height], dtype=np.float64)
    left = np.clip(xyxy, 0, sides)
    area, visible = (np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (xyxy, left))
    labels = Labels.from_xyxy(scene.labels.class_id, left, width, height)
    return replace(
        scene,
        pixels=scene.pixels[np.ix_(rows, columns)],
        labels=labels.take(visible >= _VISIBLE * area),
    )
