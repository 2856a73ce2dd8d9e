"""Where the ground truth of sent images comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backhaul.boxes import xywhn_to_xyxy, xyxy_to_xywhn
from backhaul.errors import AwaitingLabelsError, InputError
from backhaul.plugins import UserCode
from backhaul.types import FloatArray, ImageSet

N_COLUMNS = 5  # class_id, cx, cy, w, h
ROUNDING = 1e-3  # a box may reach over the edge by this much of a side, and is clipped
N_NAMED = 3


def label_from_existing(sent: ImageSet, truth: ImageSet) -> ImageSet:
    """Return `sent` with the labels that `truth`, the data set, has for the same content.

    Labels keep the source that `truth` gives, or are of the source "dataset".

    Raises:
        AwaitingLabelsError: If an image is not in `truth` or has no labels there.
    """
    known = truth.table.set_index("image_id")[["labels", "label_source"]]
    found = known.reindex(list(sent.ids))
    _require_all(sent, list(found["labels"]))
    source = found["label_source"].where(found["label_source"].notna(), "dataset")
    return _with_labels(sent, list(found["labels"]), list(source))


def label_by_function(sent: ImageSet, code: UserCode) -> ImageSet:
    """Return `sent` with the labels that a user's function gives.

    The function gets the path of an image and returns its boxes, as an array of shape (n, 5)
    with class_id, cx, cy, w, h normalised to [0, 1] or as Darknet lines "class_id cx cy w h".
    No box means that there is no object, None that there are no labels yet.

    Raises:
        AwaitingLabelsError: If the function returns None for an image.
        InputError: If it returns anything else, or a box that is none.
    """
    function = code.load()
    labels = [
        _parse(function(Path(uri), **code.params), len(sent.class_names), f"{code.use}: {uri}")
        for uri in sent.table["uri"]
    ]
    _require_all(sent, labels)
    return _with_labels(sent, labels, [code.use] * len(sent))


def _with_labels(sent: ImageSet, labels: list[Any], source: list[str]) -> ImageSet:
    index = sent.table.index
    table = sent.table.assign(
        labels=pd.Series(labels, index=index, dtype=object),
        label_source=pd.Series(source, index=index, dtype=object),
    )
    return ImageSet(table, sent.class_names)


def _require_all(sent: ImageSet, labels: Sequence[Any]) -> None:
    missing = [
        uri
        for uri, boxes in zip(sent.table["uri"], labels, strict=True)
        if not isinstance(boxes, np.ndarray)
    ]
    if missing:
        named = ", ".join(missing[:N_NAMED]) + (", ..." if len(missing) > N_NAMED else "")
        raise AwaitingLabelsError(
            f"{len(missing)} of {len(sent)} images have no labels yet: {named}"
        )


def _parse(answer: Any, n_classes: int, where: str) -> FloatArray | None:
    if answer is None:
        return None
    try:
        rows = [row.split() if isinstance(row, str) else row for row in answer]
        boxes = np.array(rows, dtype=np.float64).reshape(len(rows), N_COLUMNS)
    except (ValueError, TypeError):
        raise InputError(
            f"{where}: expected boxes of class_id, cx, cy, w, h, got {answer!r}"
        ) from None
    xyxy = xywhn_to_xyxy(boxes[:, 1:], 1, 1)
    is_class = np.isin(boxes[:, 0], np.arange(n_classes))
    is_box = (boxes[:, 3:] > 0).all(axis=1)
    is_inside = ((xyxy >= -ROUNDING) & (xyxy <= 1 + ROUNDING)).all(axis=1)
    right = is_class & is_box & is_inside
    if not right.all():
        wrong = boxes[np.argmin(right)].tolist()
        raise InputError(
            f"{where}: expected a class_id below {n_classes} and a box in [0, 1], got {wrong}"
        )
    return np.column_stack([boxes[:, 0], xyxy_to_xywhn(np.clip(xyxy, 0, 1), 1, 1)])
