"""How long an exported model looks at an image."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.look.letterbox import read_pixels
from backhaul.look.onnx import OnnxModel
from backhaul.look.protocol import PredictionSettings
from backhaul.values.localimages import LocalImages

MOST_IMAGES = 50
"""Images that are looked at."""


def latencies_ms(path: Path, images: LocalImages, settings: PredictionSettings) -> FloatArray:
    """Return the milliseconds of each look on one core, shape (n,), n at most `MOST_IMAGES`.

    It is the time that the core computes, which another program on it does not lengthen. Each
    look has all of a node's but decoding: letterbox, network, suppression and features.

    Args:
        path: The model.
        images: Image files, at least one.
        settings: How outputs become boxes.
    """
    model = OnnxModel(path, threads=1)
    settings = replace(settings, needs=frozenset({"features"}))
    taken = []
    for image_id, file in zip(
        images.image_id[:MOST_IMAGES], images.paths[:MOST_IMAGES], strict=True
    ):
        image = read_pixels(file)
        if not taken:
            model.look(image, image_id, settings)  # the first look prepares the others
        began = time.thread_time()
        model.look(image, image_id, settings)
        taken.append(time.thread_time() - began)
    return 1000 * np.array(taken)
