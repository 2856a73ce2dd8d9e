"""Run a detector of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.code import UserCode
from backhaul.errors import InputError
from backhaul.look.checkpoints import file_digest
from backhaul.look.protocol import PredictionSettings, Predictor
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import DETECTION_COLUMNS, Detections
from backhaul.values.images import ImageSet

COLUMNS = 6


def load_predictor(code: UserCode) -> Predictor:
    """Return an instance of the user's class, built with its params."""
    predictor: Predictor = code.load()(**code.params)
    return predictor


def predict_with(
    code: UserCode,
    images: ImageSet,
    checkpoints: Sequence[LocalCheckpoint],
    settings: PredictionSettings,
    on_progress: Callable[[int, int], None],
) -> Detections:
    """Return what each checkpoint sees in each image, by the user's class.

    Boxes are clipped to their image; those without area there, or with no more than
    ``conf_thres``, are dropped, and of too many the most confident are kept.

    Raises:
        InputError: If a checkpoint is not what it should be, or the class yields anything but
            one array of boxes an image.
    """
    detector = load_predictor(code)
    paths = [Path(uri) for uri in images.table["uri"]]
    tables = [pd.DataFrame(columns=list(DETECTION_COLUMNS))]
    total, done = len(paths) * len(checkpoints), 0
    for checkpoint in checkpoints:
        if file_digest(checkpoint.path) != checkpoint.sha256:
            raise InputError(f"{checkpoint.path}: content does not match its digest")
        answers = iter(detector.predict(checkpoint.path, paths, images.class_names, settings))
        image: Any
        for image in images.table.itertuples():
            where = f"{code.use}: {image.uri}"
            boxes = _checked(next(answers, None), len(images.class_names), where)
            kept = _kept(boxes, image.width, image.height, settings)
            tables.append(_table(kept, str(image.image_id), checkpoint.epoch))
            done += 1
            on_progress(done, total)
        if next(answers, None) is not None:
            raise InputError(f"{code.use}: yields more than one array an image")
    found = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    return Detections(found.astype({"epoch": np.int64, "class_id": np.int64}))


def _checked(answer: Any, n_classes: int, where: str) -> FloatArray:
    expected = "expected an array of shape (n, 6): x1, y1, x2, y2, confidence, class_id"
    if answer is None:
        raise InputError(f"{where}: no answer; {expected}")
    try:
        boxes = np.asarray(answer, dtype=np.float64).reshape(-1, COLUMNS)
    except (TypeError, ValueError):
        raise InputError(f"{where}: {expected}, got {answer!r}") from None
    confidence, class_id = boxes[:, 4], boxes[:, 5]
    if not np.isfinite(boxes).all() or ((confidence < 0) | (confidence > 1)).any():
        raise InputError(f"{where}: expected finite boxes and confidences in [0, 1]")
    if not np.isin(class_id, np.arange(n_classes)).all():
        wrong = class_id[~np.isin(class_id, np.arange(n_classes))][0]
        raise InputError(f"{where}: class_id {wrong:g}, expected 0 to {n_classes - 1}")
    return boxes


def _kept(
    boxes: FloatArray, width: int, height: int, settings: PredictionSettings
) -> FloatArray:
    """Return the boxes that count, the most confident first."""
    clipped = boxes.copy()
    clipped[:, :4] = clipped[:, :4].clip(0, [width, height] * 2)
    area = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    counts = clipped[area & (clipped[:, 4] > settings.conf_thres)]
    order = np.argsort(-counts[:, 4], kind="stable")
    return counts[order[: settings.max_detections]]


def _table(boxes: FloatArray, image_id: str, epoch: int) -> pd.DataFrame:
    x1, y1, x2, y2, confidence, class_id = boxes.T
    columns = (image_id, epoch, class_id, confidence, x1, y1, x2, y2)
    index = range(len(boxes))
    return pd.DataFrame(dict(zip(DETECTION_COLUMNS, columns, strict=True)), index=index)
