"""Scenes of a user's data set, divided among the parts of a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from backhaul.data.settings import StreamData
from backhaul.data.stratification import stratify
from backhaul.data.streams.capture import Pixels, Scene
from backhaul.data.streams.names import STREAM_PARTS, StreamPart, scene_name
from backhaul.data.streams.plan import n_empty
from backhaul.errors import InputError
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

_AROUND_PX = 3  # of a box is painted out as well, and what the paint is taken from
_PAINTED_PX = 320  # longest side: paint has no detail, and more of it takes long
_IN_MEMORY = 2  # decoded images: that of a burst, and of what is empty after it


@dataclass(frozen=True, slots=True)
class _Image:
    path: str
    labels: Labels


_Unit: TypeAlias = tuple[_Image, ...]
"""Images that belong together, of one scene."""


class FoundScenes:
    """Scenes of a data set: a group of images is one, and so is an image without group.

    A scene that is shown again is shown by its next image, if it has several. Empty frames are
    images without objects, if there are three or more, and else what is left of the scene
    shown last when its objects are painted out, from the pixels around them (A. Telea, 2004).

    Args:
        images: The data set, on this disk. What has no labels takes no part.
        data: Settings of the stream.
        rng: Gives the source of randomness of what a path of words and numbers names.

    Raises:
        InputError: If there are not enough scenes.
    """

    def __init__(
        self, images: ImageSet, data: StreamData, rng: Callable[..., np.random.Generator]
    ) -> None:
        self.class_names = images.class_names
        shown, bare = _units(images)
        mixed = _mixed(shown, rng("scenes"))
        self._scenes = _divided(mixed, len(self.class_names), data, rng("parts"))
        empty = _mixed(bare, rng("backgrounds"))
        self._bare = {
            part: empty[i :: len(STREAM_PARTS)] for i, part in enumerate(STREAM_PARTS)
        }
        self._read = lru_cache(_IN_MEMORY)(_read)
        self._painted_out = lru_cache(_IN_MEMORY)(_painted_out)

    def scene(self, part: StreamPart, number: int, node: int) -> Scene:
        """Return a scene with objects; after the last one of a part, the first comes again."""
        name, image = self._image(part, number)
        return Scene(name, self._read(image.path), image.labels)

    def background(self, part: StreamPart, number: int, node: int) -> Scene:
        """Return an image without objects, or a scene whose objects are painted out."""
        bare = self._bare[part]
        if all(self._bare.values()):
            index = number % len(bare)
            name = scene_name(part, index, background=True)
            return Scene(name, self._read(bare[index][0].path), Labels.empty())
        name, image = self._image(part, number)
        return Scene(name, self._painted_out(image), Labels.empty())

    def _image(self, part: StreamPart, number: int) -> tuple[str, _Image]:
        units = self._scenes[part]
        again, index = divmod(number, len(units))
        unit = units[index]
        return scene_name(part, index), unit[again % len(unit)]


def _units(images: ImageSet) -> tuple[list[_Unit], list[_Unit]]:
    """Return the scenes with objects and those without, in the order of their first images."""
    table = images.labelled().table.sort_values("image_id", kind="stable")
    groups = table["group"].fillna("image " + table["image_id"])
    found: dict[str, list[_Image]] = {}
    for group, uri, labels in zip(groups, table["uri"], table["labels"], strict=True):
        found.setdefault(group, []).append(_Image(uri, labels))
    shown = [tuple(each for each in unit if len(each.labels)) for unit in found.values()]
    bare = [tuple(unit) for unit in found.values() if not any(len(i.labels) for i in unit)]
    return [unit for unit in shown if unit], bare


def _mixed(units: Sequence[_Unit], rng: np.random.Generator) -> list[_Unit]:
    return [units[i] for i in rng.permutation(len(units))]


def _divided(
    units: list[_Unit], n_classes: int, data: StreamData, rng: np.random.Generator
) -> Mapping[StreamPart, list[_Unit]]:
    """Return the scenes of each part, stratified by class; the stream has all that are left."""
    initial, test = (n - n_empty(n, data.empty) for n in (data.initial, data.test))
    left = len(units) - initial - test
    if left < data.nodes:
        raise InputError(
            f"data.of: has {len(units)} scenes with objects; {initial} are wanted for "
            f"data.initial, {test} for data.test, and at least {data.nodes} for the stream"
        )
    shown = np.zeros((len(units), n_classes), dtype=bool)
    for row, unit in enumerate(units):
        shown[row, np.concatenate([image.labels.class_id for image in unit])] = True
    capacity = np.array([initial, left, test])
    part_of = stratify(shown, np.ones(len(units), dtype=np.int64), capacity, rng)
    return {
        part: [unit for unit, of in zip(units, part_of, strict=True) if of == number]
        for number, part in enumerate(STREAM_PARTS)
    }


def _read(path: str) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise InputError(f"{path}: cannot be decoded")
    return np.asarray(pixels, dtype=np.uint8)


def _painted_out(image: _Image) -> Pixels:
    """Return an image without its objects, which are painted out at a size of `_PAINTED_PX`."""
    pixels = _read(image.path)
    height, width = pixels.shape[:2]
    scale = min(_PAINTED_PX / max(height, width), 1.0)
    if round(min(height, width) * scale) == 0:  # nothing would be left of a thin image
        scale = 1 / min(height, width)
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mask = _mask(image.labels, small.shape[1], small.shape[0])
    painted = cv2.inpaint(small, mask, _AROUND_PX, cv2.INPAINT_TELEA)
    large = cv2.resize(painted, (width, height), interpolation=cv2.INTER_LINEAR)
    gone = _mask(image.labels, width, height)[:, :, None] > 0
    return np.where(gone, large, pixels).astype(np.uint8)


def _mask(labels: Labels, width: int, height: int) -> Pixels:
    mask = np.zeros((height, width), dtype=np.uint8)
    for x1, y1, x2, y2 in labels.xyxy(width, height).round().astype(int).tolist():
        rows = slice(max(y1 - _AROUND_PX, 0), y2 + _AROUND_PX)
        mask[rows, max(x1 - _AROUND_PX, 0) : x2 + _AROUND_PX] = 1
    return mask
