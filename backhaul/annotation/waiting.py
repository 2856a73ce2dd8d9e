"""Images of a run that wait for their labels, each once, with the boxes that a model saw."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.campaign.records import Waiting
from backhaul.campaign.runrecords import RunRecords
from backhaul.data.images import ImageFile
from backhaul.layout import RunFiles
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import exists_at, read_value
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

_FILE = ["uri", "image_id", "width", "height", "size_bytes"]


@dataclass(frozen=True)
class Shown:
    """The boxes that an annotator begins with.

    Args:
        boxes: The boxes, n of them.
        confidence: Of each, in [0, 1], shape (n,).
        model: Which model saw them; empty if nobody looked.
    """

    boxes: Labels
    confidence: FloatArray
    model: str

    def above(self, confidence: float) -> Shown:
        """Return the boxes with at least this confidence."""
        kept = self.confidence >= confidence
        return Shown(self.boxes.take(kept), self.confidence[kept], self.model)


NOTHING = Shown(Labels.empty(), np.zeros(0), "")


@dataclass(frozen=True)
class WaitingImage:
    """An image that waits for its labels.

    Args:
        file: The image; its path is its address in the store.
        node: The node that sent it.
        name: The name that the node gave it.
        labels: Address of the file that its labels are put into.
        method: Label of the method that sent it, the first of several by name.
        batch: Number of the batch.
        shown: What that method's model saw in it.
    """

    file: ImageFile
    node: str
    name: str
    labels: str
    method: str
    batch: int | None
    shown: Shown

    @property
    def prefix(self) -> str:
        """Prefix of the names of the round that waits for it."""
        return f"{self.method}{self.batch}"


def waiting_images(files: RunFiles) -> list[WaitingImage]:
    """Return the images of a run that wait for labels and have none yet, by their ids.

    Those of rounds that an earlier version left waiting are not among them until the next hour
    has asked for their labels again.

    Args:
        files: Where the files of the run lie.
    """
    every: dict[str, WaitingImage] = {}
    for _, record in sorted(RunRecords(files).waiting.items()):
        for image in _images_of(record):
            every.setdefault(image.file.image_id, image)
    images = [every[image_id] for image_id in sorted(every)]
    with ThreadPoolExecutor(TRANSFERS) as threads:
        labelled = list(threads.map(exists_at, [image.labels for image in images]))
    return [image for image, there in zip(images, labelled, strict=True) if not there]


def _images_of(record: Waiting) -> Iterator[WaitingImage]:
    if record.images is None:
        return
    images = read_value(ImageSet, record.images)
    places = read_value(pd.DataFrame, record.files)
    seen = None if record.seen is None else read_value(FusedDetections, record.seen)
    rows = places[["node", "name", "labels"]].itertuples(index=False)
    for file, place in zip(images.table[_FILE].itertuples(index=False), rows, strict=True):
        image = ImageFile(*file)
        shown = NOTHING if seen is None else _shown(seen, image, record.model)
        node, name, labels = map(str, place)
        yield WaitingImage(image, node, name, labels, record.method, record.batch, shown)


def _shown(seen: FusedDetections, image: ImageFile, model: str) -> Shown:
    """Return what a model saw in an image, cut off at its edges."""
    own = seen.take(seen.image_id == image.image_id)
    sides = (image.width, image.height)
    xyxy = np.clip(own.xyxy, 0.0, [*sides, *sides])
    kept = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    boxes = Labels.from_xyxy(own.class_id[kept], xyxy[kept], *sides)
    return Shown(boxes, own.confidence[kept], model)
