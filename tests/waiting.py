"""Images that wait for labels, for tests of what labels them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from backhaul.campaign.records import Waiting
from backhaul.campaign.runrecords import WAITING
from backhaul.campaign.setting import Beginning
from backhaul.layout import RunFiles, arrival_stem
from backhaul.storage.objects import replace, write_value
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet, empty_image_set
from backhaul.values.results import Arrangement
from tests.nodes import picture

CLASSES = ("car", "big bus", "<&>")
SIZE = (200, 100)
BOX = (20.0, 10.0, 60.0, 40.0)
"""Corners in pixels of the box that the model saw in each image, of class 1, confidence 0.8."""


def beginning(files: RunFiles) -> Beginning:
    """Return how the run began, without any image."""
    nothing = write_value(files.root, empty_image_set(CLASSES))
    arrangement = Arrangement(
        initial=nothing, batches=(), holdout=nothing, leftover=nothing, sizes={}
    )
    return Beginning(
        started=datetime(2026, 11, 21, tzinfo=UTC), arrangement=arrangement, class_names=CLASSES
    )


def images_in(files: RunFiles, numbers: range) -> ImageSet:
    """Return images that have arrived."""
    rows = []
    for number in numbers:
        data = picture(number, "PNG", SIZE)
        image_id = hashlib.sha256(data).hexdigest()[:32]
        uri = f"{files.root}/{arrival_stem(image_id)}.png"
        replace(uri, data)
        rows.append((image_id, uri, *SIZE, len(data), None, None, None, None))
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), CLASSES)


def seen_in(images: ImageSet) -> FusedDetections:
    """Return a good box in each image, and one of little confidence."""
    n = len(images)
    return FusedDetections(
        image_id=names_of([each for each in images.ids for _ in range(2)]),
        class_id=np.array([1, 0] * n, dtype=np.int64),
        confidence=np.array([0.8, 0.05] * n),
        xyxy=np.array([BOX, (100.0, 50.0, 250.0, 90.0)] * n).reshape(-1, 4),
        confidence_std=np.zeros(2 * n),
        votes=np.ones(2 * n, dtype=np.int64),
        box_spread=np.zeros(2 * n),
    )


def let_wait(files: RunFiles, numbers: range, method: str = "iqr", batch: int = 0) -> None:
    """Let images of a batch of a run wait for labels."""
    images = images_in(files, numbers)
    names = [f"{number}.png" for number in numbers]
    table = pd.DataFrame(
        {
            "node": ["cam-1"] * len(names),
            "name": names,
            "image": list(images.table["uri"]),
            "labels": [f"{files.root}/labels/cam-1/{number}.txt" for number in numbers],
        }
    )
    record = Waiting(
        files=write_value(files.root, table),
        method=method,
        batch=batch,
        images=write_value(files.root, images),
        seen=write_value(files.root, seen_in(images)),
        model="iqr epoch 7",
    )
    WAITING.write(files.waiting(f"{method}{batch}"), record)
