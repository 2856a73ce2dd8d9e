"""Metrics of a detector: precision, recall, accuracy, confidence, mean average precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from faster_coco_eval import COCO, COCOeval_faster

from backhaul.arrays import FloatArray
from backhaul.measure.names import METRICS
from backhaul.values.detections import Boxes, Detections, FusedDetections
from backhaul.values.images import ImageSet

MAX_DETECTIONS = 300
"""Most detections of one class in one image that enter average precision."""
SMALL_PX2 = 32.0**2
"""Area of a box up to which COCO calls an object small, in pixels of its image."""
ANY_PX2 = 1e10


def metrics(
    benchmark: pd.DataFrame,
    raw: Detections | FusedDetections,
    images: ImageSet,
    pos_thres: float,
) -> pd.DataFrame:
    """Return all metrics of one model on one set of images.

    Args:
        benchmark: The model's benchmark table on `images`.
        raw: Its detections there down to the confidence floor of the evaluation; of one
            checkpoint, or fused.
        images: The images with their truth; those without labels count for nothing.
        pos_thres: Confidence from which a detection counts, in [0, 1].

    Returns:
        Columns ``class`` and ``METRICS``: one row over all classes, whose ``class`` is empty,
        then one a class, in the order of the set; see `count` and `average_precision`.
    """
    counted = count(benchmark, images, pos_thres)
    return counted.merge(average_precision(raw, images), on="class")[["class", *METRICS]]


def count(benchmark: pd.DataFrame, images: ImageSet, pos_thres: float) -> pd.DataFrame:
    """Return precision, recall and other counts of detections above a confidence.

    Of a class, detections are those detected as it, and truths those that are of it.

    Args:
        benchmark: Benchmark table of the model on `images`.
        images: The images with their truth.
        pos_thres: Confidence from which a detection counts, in [0, 1].

    Returns:
        One row over all classes, whose ``class`` is empty, then one a class:

        - ``prec`` TP / (TP + FP), ``recall`` TP / truths, ``acc`` TP / (TP + FP + FN), where TP
          are hits, FP other detections, FN truths that were not hit; in [0, 1], NaN for 0 / 0.
        - ``conf`` and ``conf_std``, mean and sample standard deviation over detections, and
          ``detect_conf_std``, the mean spread between checkpoints; NaN where undefined.
        - ``n_images`` with labels (of a class: that contain it), ``n_truths`` and
          ``n_detections``.
    """
    known = images.labelled()
    rows = benchmark[benchmark["image_id"].isin(known.ids)]
    detected = rows[rows["conf"] >= pos_thres]
    truths = rows[rows["actual"].notna()]
    table = [{"class": "", "n_images": len(known), **_count(detected, truths)}]
    for name, present in zip(images.class_names, known.presence().T, strict=True):
        own = _count(detected[detected["detected"] == name], truths[truths["actual"] == name])
        table.append({"class": name, "n_images": int(present.sum()), **own})
    return pd.DataFrame(table)


def _count(detected: pd.DataFrame, truths: pd.DataFrame) -> dict[str, Any]:
    hits, n_detections, n_truths = int(detected["hit"].sum()), len(detected), len(truths)
    return {
        "prec": _ratio(hits, n_detections),
        "recall": _ratio(hits, n_truths),
        "acc": _ratio(hits, n_detections + n_truths - hits),
        "conf": detected["conf"].mean(),
        "conf_std": detected["conf"].std(),
        "detect_conf_std": detected["conf_std"].mean(),
        "n_truths": n_truths,
        "n_detections": n_detections,
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def average_precision(
    raw: Detections | FusedDetections, images: ImageSet, most_px2: float = ANY_PX2
) -> pd.DataFrame:
    """Return average precision as COCO defines it: 101 recalls, IoU 0.5 to 0.95 by 0.05.

    Args:
        raw: Detections of one model, down to a low confidence.
        images: The images with their truth; those without labels count for nothing.
        most_px2: Greatest area of the boxes that count, in pixels of their image. Truths of
            more are passed over, and so are detections that match them or match nothing and
            are as large.

    Returns:
        Columns ``class``, ``mAP50`` and ``mAP50-95``: the mean over the classes that have a
        truth, whose ``class`` is empty, then one row a class; in [0, 1], NaN without truth.

    Raises:
        ValueError: If detections are of several checkpoints, which have to be fused first.
    """
    if isinstance(raw, Detections) and np.unique(raw.epoch).size > 1:
        raise ValueError("expected detections of one checkpoint, or fused ones")
    known = images.labelled()
    by_iou = np.full((10, len(images.class_names)), np.nan)
    if len(known):
        precision = _precision(raw.of_images(known.ids), known, most_px2)
        by_iou = np.where(precision > -1, precision, np.nan).mean(axis=1)  # -1 is "no truth"
    by_class = np.stack([by_iou[0], by_iou.mean(axis=0)], axis=1)
    overall = pd.DataFrame(by_class).mean().to_numpy()  # skips NaN, and is NaN where all are
    table = pd.DataFrame(np.vstack([overall, by_class]), columns=["mAP50", "mAP50-95"])
    table.insert(0, "class", ["", *images.class_names])
    return table


def _precision(raw: Boxes, truth: ImageSet, most_px2: float) -> FloatArray:
    """Return interpolated precision by IoU, recall and class, shape (10, 101, n_classes)."""
    number = {image_id: i for i, image_id in enumerate(truth.ids, start=1)}
    coco = COCO(
        {
            "images": [{"id": i} for i in number.values()],
            "categories": [{"id": i, "name": n} for i, n in enumerate(truth.class_names)],
            "annotations": _annotations(truth),
        }
    )
    results = [
        {"image_id": number[image_id], "category_id": class_id, "score": score, "bbox": box}
        for image_id, class_id, score, box in zip(
            raw.image_id.tolist(),
            raw.class_id.tolist(),
            raw.confidence.tolist(),
            _xywh(raw.xyxy),
            strict=True,
        )
    ]
    evaluation = COCOeval_faster(coco, coco.loadRes(results), "bbox")
    evaluation.params.maxDets = [MAX_DETECTIONS]
    evaluation.params.areaRng = [[0.0, most_px2]]
    evaluation.params.areaRngLbl = ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision: FloatArray = np.asarray(evaluation.eval["precision"])[:, :, :, 0, 0]
    return precision


def _annotations(truth: ImageSet) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    image: Any
    for i, image in enumerate(truth.table.itertuples(), start=1):
        boxes = _xywh(image.labels.xyxy(image.width, image.height))
        for class_id, box in zip(image.labels.class_id.tolist(), boxes, strict=True):
            own = {"id": len(annotations) + 1, "image_id": i, "category_id": class_id}
            annotations.append(own | {"bbox": box, "area": box[2] * box[3], "iscrowd": 0})
    return annotations


def _xywh(xyxy: FloatArray) -> list[list[float]]:
    """Return corner, width and height of boxes, as COCO writes them."""
    boxes: list[list[float]] = np.hstack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]]).tolist()
    return boxes
