"""Write augmented copies of images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pandas as pd

from backhaul.errors import InputError
from backhaul.learn.augmentation.plan import Plan
from backhaul.learn.augmentation.transforms import ImageArray, Picture, Transformer
from backhaul.learn.settings import Augmentation
from backhaul.randomness import generator
from backhaul.values.images import IMAGE_COLUMNS, ImageSet, empty_image_set

JPEG_QUALITY = 95
JPEG_SUFFIXES = (".jpg", ".jpeg")
ID_DIGITS = 32


def make_copies(
    images: ImageSet,
    plan: Plan,
    settings: Augmentation,
    folder: Path,
    rng: np.random.Generator,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    workers: int | None = None,
) -> ImageSet:
    """Write the copies of `plan` and return them, with their labels, in the plan's order.

    Copies of JPEG files are JPEG files, all others PNG. Each copy has a generator of its own,
    so neither the number of workers nor the other copies of a plan change its pixels. Threads
    are enough, because OpenCV works outside the interpreter's lock.

    Args:
        images: Labelled originals of the plan, among others; their uris are local paths.
        plan: How many copies of which image.
        settings: How copies look.
        folder: Existing folder to write to.
        rng: The only source of randomness.
        on_progress: Called with (copies done, copies in all).
        workers: Threads; None = one a core.

    Raises:
        InputError: If an original cannot be read, or the user's pipeline is none.
    """
    if not plan.copies:
        return empty_image_set(images.class_names)
    transformer = Transformer(settings)
    seed = int(rng.integers(2**63))
    originals = images.take(image_id for image_id, _ in plan.copies)
    copied = originals.table.to_dict("records")
    numbers = [number for _, number in plan.copies]
    jobs = [(row, i) for row, n in zip(copied, numbers, strict=True) for i in range(1, n + 1)]
    rows = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as threads:
        for row in threads.map(partial(_make_copy, transformer, seed, folder), jobs):
            rows.append(row)
            if on_progress is not None:
                on_progress(len(rows), plan.n_copies)
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), images.class_names)


def read_rgb(path: str) -> ImageArray:
    """Return an image as displayed, in RGB, shape (height, width, 3).

    Raises:
        InputError: If there is no readable image.
    """
    bgr = cv2.imread(path, cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f"{path}: expected a readable image")
    return cast(ImageArray, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def _make_copy(
    transformer: Transformer, seed: int, folder: Path, job: tuple[dict[str, Any], int]
) -> dict[str, Any]:
    original, number = job
    rng = generator(seed, original["image_id"], number)
    copy = transformer.draw(Picture(read_rgb(original["uri"]), original["labels"]), rng)
    suffix = Path(original["uri"]).suffix.lower()
    suffix = suffix if suffix in JPEG_SUFFIXES else ".png"
    data = _encode(copy.rgb, suffix)
    content = hashlib.sha256(data).hexdigest()
    image_id = hashlib.sha256(f"{original['image_id']} {number} {content}".encode()).hexdigest()
    path = folder / f"{image_id[:ID_DIGITS]}{suffix}"
    path.write_bytes(data)
    height, width = copy.rgb.shape[:2]
    return original | {
        "image_id": path.stem,
        "uri": str(path),
        "width": width,
        "height": height,
        "size_bytes": len(data),
        "labels": copy.labels,
        "copy_of": original["image_id"],
    }


def _encode(rgb: ImageArray, suffix: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix in JPEG_SUFFIXES else []
    _, data = cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    return bytes(data)
