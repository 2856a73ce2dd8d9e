"""Cut detected objects out of images, so that each becomes an image of its own."""

from __future__ import annotations

import hashlib
import os
import reprlib
from collections import defaultdict
from collections.abc import Callable, Container
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.code import UserCode
from backhaul.errors import InputError
from backhaul.geometry import pairwise_iou, whole_pixels
from backhaul.learn.augmentation.copies import ID_DIGITS, read_rgb
from backhaul.learn.augmentation.transforms import ImageArray
from backhaul.learn.settings import Cropping
from backhaul.values.detections import FUSED_COLUMNS, XYXY, FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import labels_inside

OBJECT_COLUMNS = FUSED_COLUMNS[1:]
"""What is known of an object of a given image; a user's function sees these."""
CUT_COLUMNS = ("source_id", *XYXY, "detected", "confidence")
CROP_COLUMNS = ("image_id", *CUT_COLUMNS)

_Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Crops:
    """Crops of images, with their origin.

    Args:
        images: The crops, with what the labels of their sources say of them.
        table: Columns ``CROP_COLUMNS``, a row for each of `images`, in that order.

    Raises:
        ValueError: If the table is of other images.
    """

    images: ImageSet
    table: pd.DataFrame

    def __post_init__(self) -> None:
        if list(self.table["image_id"]) != list(self.images.ids):
            raise ValueError("expected one row for each crop, in their order")


def choose_cuts(
    images: ImageSet, detections: FusedDetections, settings: Cropping
) -> pd.DataFrame:
    """Return the boxes to cut out: objects that overlap no other, or a function's boxes.

    A box is widened by the margin, clipped to the image and rounded to whole pixels; it is left
    out if a side is then below ``min_side_px``. Ground truth plays no part in it.

    Args:
        images: Images whose uris are local paths.
        detections: Detections in them.
        settings: Which objects count, and how they are cut.

    Returns:
        Columns ``CUT_COLUMNS``, image after image: ``source_id`` is the image_id; the corners
        are whole pixels, x2 and y2 exclusive; ``detected`` is the class of the object that has
        the greatest IoU with the box, with its ``confidence``, both missing if there is none.

    Raises:
        InputError: If a user's function gives anything else than boxes within the image.
    """
    confident = detections.table[detections.table["confidence"] >= settings.conf_thres]
    by_image = dict(iter(confident.groupby("image_id")))
    rows: list[tuple[Any, ...]] = []
    image: Any
    for image in images.table.itertuples():
        found = by_image.get(image.image_id, confident.iloc[:0])
        objects = found[list(OBJECT_COLUMNS)].reset_index(drop=True)
        boxes = _boxes(image, objects, settings.function)
        pixels = whole_pixels(boxes, settings.margin, image.width, image.height)
        large = (pixels[:, 2:] - pixels[:, :2]).min(axis=1, initial=np.inf)
        for i in np.flatnonzero(large >= settings.min_side_px):
            seen = _seen_in(boxes[i], objects, images.class_names)
            rows.append((image.image_id, *map(int, pixels[i]), *seen))
    return pd.DataFrame(rows, columns=list(CUT_COLUMNS))


def isolated(objects: pd.DataFrame) -> FloatArray:
    """Return the corners of objects that overlap no other object, shape (n, 4)."""
    xyxy = objects[list(XYXY)].to_numpy(dtype=np.float64)
    shared = pairwise_iou(xyxy, xyxy)
    np.fill_diagonal(shared, 0.0)
    alone: FloatArray = xyxy[~(shared > 0.0).any(axis=1)]
    return alone


def cut(
    images: ImageSet,
    cuts: pd.DataFrame,
    min_visibility: float,
    folder: Path,
    known: Container[str] = frozenset(),
    on_progress: Callable[[int, int], None] | None = None,
) -> Crops:
    """Write crops as PNG files, with the pixels as displayed, and return them as images.

    Crops with the same content are written once. A crop belongs to its source's group, or else
    to a group of the source's own, so that a split never separates the crops of one image.
    Threads are enough, because OpenCV works outside the interpreter's lock.

    Args:
        images: Images, whose uris are local paths; crops of unlabelled ones have no labels.
        cuts: Columns ``CUT_COLUMNS``, of these images.
        min_visibility: Least fraction of a true box inside a crop for it to be labelled.
        folder: Existing folder to write to.
        known: Image ids that no crop may have, those of images that are played elsewhere.
        on_progress: Called with (images done, images in all).

    Raises:
        InputError: If an image cannot be read.
    """
    of_source: defaultdict[str, list[_Row]] = defaultdict(list)
    origin: Any
    for origin in cuts.to_dict("records"):
        of_source[origin["source_id"]].append(origin)
    sources = images.take(of_source).table.to_dict("records")
    jobs = [(source, of_source[source["image_id"]]) for source in sources]
    crops: dict[str, tuple[_Row, _Row]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        made = threads.map(partial(_cut_image, folder, min_visibility), jobs)
        for done, of_image in enumerate(made, start=1):
            for row, origin in of_image:
                if row["image_id"] not in known:
                    crops.setdefault(row["image_id"], (row, origin))
            if on_progress is not None:
                on_progress(done, len(jobs))
    rows, origins = [row for row, _ in crops.values()], [o for _, o in crops.values()]
    return Crops(
        ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), images.class_names),
        pd.DataFrame(origins, columns=list(CROP_COLUMNS)),
    )


def _boxes(image: Any, objects: pd.DataFrame, function: UserCode | None) -> FloatArray:
    if function is None:
        return isolated(objects)
    with function.running():
        answer = function.load()(Path(image.uri), objects.copy(), **function.params)
    return _checked(answer, image, f"{function.use}: {image.uri}")


def _checked(answer: Any, image: Any, where: str) -> FloatArray:
    try:
        boxes = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        boxes = np.empty(())
    if boxes.shape == (0,):
        return np.empty((0, len(XYXY)))
    if boxes.ndim != 2 or boxes.shape[1] != len(XYXY):  # noqa: PLR2004 - a table
        raise InputError(
            f"{where}: expected boxes as an array of shape (n, 4), got {reprlib.repr(answer)}"
        )
    inside = np.clip(boxes, 0, [image.width, image.height] * 2)
    good = np.isfinite(boxes).all(axis=1) & (inside[:, 2:] > inside[:, :2]).all(axis=1)
    if not good.all():
        i = int(np.argmin(good))
        corners = ", ".join(f"{value:g}" for value in boxes[i])
        raise InputError(
            f"{where}: box {i} is ({corners}); expected finite pixels x1 < x2 and y1 < y2 with "
            f"area inside the image of {image.width} x {image.height}"
        )
    return boxes


def _seen_in(
    box: FloatArray, objects: pd.DataFrame, class_names: tuple[str, ...]
) -> tuple[str | None, float | None]:
    """Return name and confidence of the object that has the greatest IoU with `box`."""
    if not len(objects):
        return None, None
    shared = pairwise_iou(box[None], objects[list(XYXY)].to_numpy(dtype=np.float64))[0]
    best = int(shared.argmax())
    if shared[best] <= 0:
        return None, None
    return (
        class_names[int(objects["class_id"].iloc[best])],
        float(objects["confidence"].iloc[best]),
    )


def _cut_image(
    folder: Path, min_visibility: float, job: tuple[_Row, list[_Row]]
) -> list[tuple[_Row, _Row]]:
    """Return each crop of one image, and where it comes from."""
    source, cuts = job
    rgb, group = read_rgb(source["uri"]), source["group"]
    crops = []
    for origin in cuts:
        corners = np.array([origin[name] for name in XYXY])
        row = _write(rgb, corners, folder) | {
            "group": group if isinstance(group, str) else source["image_id"],
            "labels": None,
            "label_source": source["label_source"],
            "copy_of": None,
        }
        if source["labels"] is not None:
            size = (source["width"], source["height"])
            row["labels"] = labels_inside(source["labels"], corners, size, min_visibility)
        crops.append((row, {"image_id": row["image_id"], **origin}))
    return crops


def _write(rgb: ImageArray, corners: FloatArray, folder: Path) -> _Row:
    x1, y1, x2, y2 = corners
    _, encoded = cv2.imencode(".png", cv2.cvtColor(rgb[y1:y2, x1:x2], cv2.COLOR_RGB2BGR))
    data = bytes(encoded)
    image_id = hashlib.sha256(data).hexdigest()[:ID_DIGITS]
    path = folder / f"{image_id}.png"
    path.write_bytes(data)
    return {
        "image_id": image_id,
        "uri": str(path),
        "width": int(x2 - x1),
        "height": int(y2 - y1),
        "size_bytes": len(data),
    }
