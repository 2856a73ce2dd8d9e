"""Make the probe images that nodes try a model on."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backhaul.data.formats import read
from backhaul.data.images import is_image
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.look.letterbox import read_pixels
from backhaul.look.onnx import OnnxModel
from backhaul.node.updates.probe import (
    COUNTS_FROM,
    Labelled,
    Probe,
    ProbeImage,
    boxes_in,
    f1,
    pixels_of,
)
from backhaul.values.labels import Labels

T = TypeVar("T")

MOST_PLAIN, MOST_LABELLED = 8, 32
LONGEST_PX = 320
"""Of a probe image: a few kilobytes each, over thin links."""
QUALITY = 85


def probe_images(plain: Path, labelled: Path | None, classes: tuple[str, ...]) -> Probe:
    """Return small images, not yet looked at.

    Args:
        plain: Folder of images as the nodes have them.
        labelled: Labelled data set; None = there is none.
        classes: Names of the model's classes.

    Raises:
        InputError: If there is no image, or the data set has other classes.
    """
    files = [p for p in sorted(plain.rglob("*")) if p.is_file() and is_image(p.name)]
    if not files:
        raise InputError(f"{plain}: expected images, found none")
    images = [_small(read_pixels(str(path)), None) for path in _spread(files, MOST_PLAIN)]
    if labelled is not None:
        images += _labelled(labelled, classes)
    return Probe(images=tuple(images))


def looked_at(probe: Probe, model: OnnxModel) -> Probe:
    """Return probe images with what a model finds in them."""
    images = []
    for image in probe.images:
        rows = boxes_in(model, pixels_of(image), probe).tolist()
        found = tuple((int(e), int(c), *map(_rounded, rest)) for e, c, *rest in rows)
        images.append(image.model_copy(update={"found": found}))
    return probe.model_copy(update={"images": tuple(images)})


def f1_of(probe: Probe) -> float | None:
    """Return F1 of what was found in labelled images; None without any."""
    pairs = [
        f1(_rows(image.found, 7), _rows(image.labelled, 5))
        for image in probe.images
        if image.labelled is not None
    ]
    hits, every = np.array(pairs, dtype=int).reshape(-1, 2).sum(axis=0).tolist()
    return hits / every if every else None


def is_blind(probe: Probe) -> bool:
    """Return whether the model finds nothing that counts in any image."""
    return not any(box[2] >= COUNTS_FROM for image in probe.images for box in image.found)


def _labelled(folder: Path, classes: tuple[str, ...]) -> Iterator[ProbeImage]:
    images = read(FolderData(root=str(folder))).images
    if images.class_names != classes:
        raise InputError(f"{folder}: has classes {images.class_names}, expected {classes}")
    pairs = zip(images.table["uri"], images.table["labels"], strict=True)
    known = [(uri, labels) for uri, labels in pairs if labels is not None]
    for uri, labels in _spread(known, MOST_LABELLED):
        yield _small(read_pixels(uri), labels)


def _small(pixels: NDArray[np.uint8], labels: Labels | None) -> ProbeImage:
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_PX, LONGEST_PX))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    boxes: tuple[Labelled, ...] | None = None
    if labels is not None:
        corners = labels.xyxy(*image.size).tolist()
        pairs = zip(labels.class_id.tolist(), corners, strict=True)
        boxes = tuple((c, *map(_rounded, xyxy)) for c, xyxy in pairs)
    return ProbeImage(file=base64.b64encode(buffer.getvalue()), labelled=boxes)


def _spread(items: list[T], most: int) -> list[T]:
    """Return at most so many, evenly spread."""
    picked = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[at] for at in picked.tolist()]


def _rows(boxes: tuple[tuple[float, ...], ...], width: int) -> NDArray[np.float64]:
    return np.array(boxes, dtype=np.float64).reshape(-1, width)


def _rounded(value: float) -> float:
    return round(value, 4)
