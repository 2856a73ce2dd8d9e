"""Match detections with ground truth, which gives the benchmark table."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray, IntArray
from backhaul.geometry import pairwise_iou
from backhaul.values.detections import XYXY, FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

BENCHMARK_COLUMNS = (
    "image_id",
    "file",
    "detected",
    "actual",
    "conf",
    "conf_std",
    "hit",
    *XYXY,
)

_Row: TypeAlias = tuple[Any, ...]


def benchmark(fused: FusedDetections, images: ImageSet, iou_thres: float) -> pd.DataFrame:
    """Return the benchmark table: detections matched with the ground truth of images.

    Detections and truths of an image are matched one to one, the most confident detection
    first. Of the free truths it overlaps enough, it takes one of its own class if there is any,
    and among these the one it overlaps most.

    Args:
        fused: Detections, all of them of images in the set.
        images: The images; where ``labels`` is None there is no truth to match.
        iou_thres: IoU from which a detection matches a truth, in [0, 1].

    Returns:
        Columns ``BENCHMARK_COLUMNS``, image after image in the order of `images`: a row for
        each detection, by falling confidence, then one for each truth that none took. ``file``
        is the image's uri. ``detected`` and ``actual`` are names of classes; ``detected`` is
        missing where a truth was overlooked, ``actual`` where a detection matches none.
        ``conf`` and ``conf_std`` in [0, 1] are missing without detection. ``hit`` says whether
        both classes are the same; it is missing where an image has no truth. The corners, in
        pixels, are the detection's, or of an overlooked truth its own.

    Raises:
        ValueError: If a detection is of an image that is not in the set.
    """
    by = ["confidence", *XYXY, "class_id"]
    found = fused.table.sort_values(by, ascending=[name != "confidence" for name in by])
    by_image = dict(iter(found.groupby("image_id")))
    if not by_image.keys() <= set(images.ids):
        raise ValueError("a detection is of an image that is not in the set")
    rows: list[_Row] = []
    image: Any
    for image in images.table.itertuples():
        detections = by_image.get(image.image_id, found.iloc[:0])
        rows += _rows_of_image(image, detections, images.class_names, iou_thres)
    text = dict.fromkeys(["image_id", "file", "detected", "actual"], "str")
    numbers = dict.fromkeys(["conf", "conf_std", *XYXY], "float64")
    table = pd.DataFrame(rows, columns=list(BENCHMARK_COLUMNS))
    return table.astype(text | numbers | {"hit": "boolean"})


def match(
    detected: IntArray, overlap: FloatArray, actual: IntArray, iou_thres: float
) -> IntArray:
    """Return the truth that each detection takes, -1 for none, shape (n,).

    Args:
        detected: Classes of the detections, the most confident first, shape (n,).
        overlap: IoU of each detection with each truth, shape (n, m).
        actual: Classes of the truths, shape (m,).
        iou_thres: IoU from which a detection matches a truth.
    """
    # An IoU is at most 1, so adding 2 puts every truth of the same class before all others.
    rank = overlap + 2.0 * (detected[:, None] == actual[None, :])
    rank[overlap < iou_thres] = -1.0
    taken = np.full(detected.size, -1, dtype=np.int64)
    for row in range(detected.size if actual.size else 0):
        best = int(rank[row].argmax())
        if rank[row, best] >= 0.0:
            taken[row] = best
            rank[:, best] = -1.0
    return taken


def _rows_of_image(
    image: Any, detections: pd.DataFrame, class_names: tuple[str, ...], iou_thres: float
) -> list[_Row]:
    known = image.labels is not None
    labels: Labels = image.labels if known else Labels.empty()
    actual = labels.class_id
    detected = detections["class_id"].to_numpy(dtype=np.int64)
    truth_xyxy = labels.xyxy(image.width, image.height)
    xyxy = detections[list(XYXY)].to_numpy(dtype=np.float64)
    taken = match(detected, pairwise_iou(xyxy, truth_xyxy), actual, iou_thres)

    name = (image.image_id, image.uri)
    numbers = zip(detections["confidence"], detections["confidence_std"], strict=True)
    rows: list[_Row] = [
        (
            *name,
            class_names[class_id],
            class_names[actual[truth]] if truth >= 0 else None,
            *confidence,
            bool(truth >= 0 and actual[truth] == class_id) if known else None,
            *box,
        )
        for class_id, truth, confidence, box in zip(detected, taken, numbers, xyxy, strict=True)
    ]
    overlooked = np.setdiff1d(np.arange(actual.size), taken)
    return rows + [
        (*name, None, class_names[actual[i]], None, None, False, *truth_xyxy[i])
        for i in overlooked
    ]
