"""Scenes of handwritten digits before fixed cameras: as many as a stream needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from backhaul.arrays import FloatArray
from backhaul.data.digits import MOST_DIGITS, NAMES, draw_background, put_digits
from backhaul.data.settings import DigitScenes
from backhaul.data.streams.capture import Pixels, Scene
from backhaul.data.streams.names import StreamPart, scene_name
from backhaul.values.labels import Labels

_TEXTURES = ((12.0, 0.6), (5.0, 6.0))  # of a background: deviation, of 255, and size in pixels
_DARK, _LIGHT = 85.0, 170.0


class DrawnScenes:
    """Scenes of one to four digits, each node's on a background of its own.

    Args:
        scenes: Their settings.
        rng: Gives the source of randomness of what a path of words and numbers names.
    """

    class_names = NAMES

    def __init__(self, scenes: DigitScenes, rng: Callable[..., np.random.Generator]) -> None:
        self._size_px = scenes.size_px
        self._rng = rng
        self._grey = cache(self._draw_grey)

    def scene(self, part: StreamPart, number: int, node: int) -> Scene:
        """Return a scene with digits; no two numbers of a part, nor two parts, share one."""
        rng = self._rng("scene", part, number)
        n_digits = int(rng.integers(1, MOST_DIGITS + 1))
        grey = self._grey(node).copy()
        labels = put_digits(grey, n_digits, rng, dark=_is_light(node))
        return Scene(scene_name(part, number), _pixels(grey), Labels.from_rows(labels))

    def background(self, part: StreamPart, number: int, node: int) -> Scene:
        """Return the background of a node alone, after the digits of a scene are gone."""
        name = scene_name(part, number, background=True)
        return Scene(name, _pixels(self._grey(node)), Labels.empty())

    def _draw_grey(self, node: int) -> FloatArray:
        rng = self._rng("background", node)
        ramp = draw_background(self._size_px, _LIGHT if _is_light(node) else _DARK, rng)
        for deviation, size_px in _TEXTURES:
            spots = cv2.GaussianBlur(rng.normal(size=ramp.shape), (0, 0), size_px)
            ramp += deviation * spots / spots.std()
        return ramp


def _is_light(node: int) -> bool:
    return node % 2 == 0


def _pixels(grey: FloatArray) -> Pixels:
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
