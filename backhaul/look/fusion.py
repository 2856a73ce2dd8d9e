"""From the detections of K checkpoints to one set of detections with confidence and spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from backhaul.arrays import IntArray
from backhaul.geometry import iou
from backhaul.values.detections import FUSED_COLUMNS, XYXY, Detections, FusedDetections

LabelFrom: TypeAlias = Literal["mean", "last"]


def fuse(
    detections: Detections,
    epochs: Sequence[int],
    iou_thres: float,
    label_from: LabelFrom = "mean",
) -> FusedDetections:
    """Return one box for each object that the checkpoints see.

    The boxes of one image are clustered over checkpoints and classes, most confident first
    (ties by epoch, coordinates, class). Of the clusters whose first box it overlaps enough and
    that hold no box of its checkpoint and class yet, a box joins the earliest, the one with the
    most confident first box; if there is none, it starts a cluster. Only the overlap with the
    first box counts, as in non-maximum suppression, so a cluster cannot drift.

    A class's confidence is its mean over all K checkpoints, 0 for those that did not see it in
    the cluster; its spread is the sample standard deviation over the same K values. The result
    does not depend on the order of the rows.

    Args:
        detections: Boxes of the single checkpoints.
        epochs: The K checkpoints that were really run; one that saw nothing counts too.
        iou_thres: IoU with the cluster's first box from which a box joins, in [0, 1].
        label_from: ``mean`` gives a cluster the class of greatest mean confidence (ties: lower
            id); ``last`` the class in which the last epoch is most confident there (ties:
            greater mean, then lower id), or as ``mean`` where the last epoch sees nothing.

    Returns:
        One row a cluster, with the most confident box of its class and the number of
        checkpoints that saw this class there; by image_id, falling confidence, coordinates.

    Raises:
        ValueError: If an epoch repeats, there is none, or a detection is of another epoch.
    """
    if not epochs or len(set(epochs)) != len(epochs):
        raise ValueError(f"expected different epochs, at least one, got {tuple(epochs)}")
    if not detections.table["epoch"].isin(epochs).all():
        raise ValueError(f"a detection is of none of the epochs {tuple(epochs)}")
    boxes = _most_confident_first(detections.table)
    boxes["cluster"] = _cluster(boxes, iou_thres)
    classes = _classes_of_clusters(boxes, tuple(epochs))
    preference = ["said_last", "confidence"] if label_from == "last" else ["confidence"]
    by = ["cluster", *preference, "class_id"]
    best_first = classes.sort_values(by, ascending=[n in ("cluster", "class_id") for n in by])
    fused = best_first.drop_duplicates("cluster")[list(FUSED_COLUMNS)]
    by = ["image_id", "confidence", *XYXY, "class_id"]
    return FusedDetections(
        fused.sort_values(by, ascending=[n != "confidence" for n in by], ignore_index=True)
    )


def _most_confident_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the detections image by image, in the order in which they are clustered."""
    typed = table.astype(
        {"epoch": np.int64, "class_id": np.int64, "confidence": np.float64}
        | dict.fromkeys(XYXY, np.float64)
    )
    by = ["image_id", "confidence", "epoch", *XYXY, "class_id"]
    ascending = [name != "confidence" for name in by]
    return typed.sort_values(by, ascending=ascending, ignore_index=True)


def _cluster(boxes: pd.DataFrame, iou_thres: float) -> IntArray:
    """Return the cluster of each box, numbered from 0, shape (n,).

    Each round starts one cluster in every image at once, from its most confident box left, and
    gives it the boxes that it can hold. That a box takes the earliest cluster that can hold it
    makes this the same as placing the boxes one by one.
    """
    image = boxes.groupby("image_id").ngroup().to_numpy()
    slot = boxes.groupby(["image_id", "epoch", "class_id"]).ngroup().to_numpy()
    xyxy = boxes[list(XYXY)].to_numpy()
    cluster = np.zeros(len(boxes), dtype=np.int64)
    n_clusters = 0
    left = np.arange(len(boxes))
    while left.size:
        _, first, owner = np.unique(image[left], return_index=True, return_inverse=True)
        joins = iou(xyxy[left], xyxy[left[first]][owner]) >= iou_thres
        joins[first] = True  # a box without area overlaps nothing, not even itself
        candidates = np.flatnonzero(joins)
        _, earliest = np.unique(slot[left[candidates]], return_index=True)
        taken = candidates[earliest]
        cluster[left[taken]] = n_clusters + owner[taken]
        n_clusters += first.size
        left = np.delete(left, taken)
    return cluster


def _classes_of_clusters(boxes: pd.DataFrame, epochs: tuple[int, ...]) -> pd.DataFrame:
    """Return one row for each class of each cluster: its best box, votes, mean and spread."""
    key = [boxes["cluster"], boxes["class_id"]]
    confidence = boxes["confidence"]
    votes = confidence.groupby(key).transform("size")
    mean = confidence.groupby(key).transform("sum") / len(epochs)
    squares = ((confidence - mean) ** 2).groupby(key).transform("sum")
    squares += (len(epochs) - votes) * mean**2  # checkpoints that did not see it gave 0
    last = confidence.where(boxes["epoch"] == max(epochs), -1.0)
    classes = boxes.assign(
        confidence=mean,
        confidence_std=np.sqrt(squares / (len(epochs) - 1)) if len(epochs) > 1 else 0.0,
        votes=votes,
        said_last=last.groupby(key).transform("max"),
    )
    return classes.drop_duplicates(["cluster", "class_id"])  # keeps the most confident box
