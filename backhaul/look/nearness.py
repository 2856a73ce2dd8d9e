"""Learn from frames of a batch which images look the same, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from backhaul.arrays import Float32Array
from backhaul.look.copies import Pixels
from backhaul.look.descriptors import decoded, descriptor
from backhaul.look.protocol import PredictionSettings, Predictor
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.localimages import LocalImages

FRAMES = 50
"""Frames of which copies are made."""

_SIDE_PX = 640  # larger frames are scaled down: copies of ten million pixels teach no more


def frames_of(images: LocalImages) -> list[Pixels]:
    """Return the pixels of image files; frames larger than 640 pixels are scaled down."""
    return [_scaled(decoded(path, _SIDE_PX)) for path in images.paths]


def descriptors(images: Sequence[Pixels]) -> Float32Array:
    """Return the descriptors of images, shape (n, 449)."""
    return np.array([descriptor(image) for image in images])


@dataclass(frozen=True, slots=True)
class FeaturesOf:
    """Makes features of images by a checkpoint.

    Args:
        predictor: What runs it.
        checkpoint: The checkpoint.
        settings: How it is run.
        class_names: The classes that it knows.
        folder: A folder on this disk for the images.
    """

    predictor: Predictor
    checkpoint: LocalCheckpoint
    settings: PredictionSettings
    class_names: tuple[str, ...]
    folder: Path

    def __call__(self, images: Sequence[Pixels]) -> Float32Array:
        """Return the features of images, shape (n, d)."""
        names = tuple(f"{number:06d}" for number in range(len(images)))
        paths = tuple(str(self.folder / f"{name}.png") for name in names)
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path, compress_level=1)
        size_px = np.array([image.shape[1::-1] for image in images], dtype=np.int64)
        files = LocalImages(names, paths, size_px, self.class_names)
        no_boxes = replace(self.settings, conf_thres=1.0, needs=frozenset({"features"}))
        seen = self.predictor.predict(files, (self.checkpoint,), no_boxes, _silent)
        if seen.features is None:
            raise ValueError("expected a predictor that gives the features it is asked for")
        return seen.features.of(names)


def _scaled(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(image)


def _silent(done: int, n: int) -> None:
    """Tell nobody how far the work is: it takes seconds."""
