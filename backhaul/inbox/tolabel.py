"""Lists of images that wait for their labels, for annotators."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from backhaul.campaign.records import Waiting
from backhaul.campaign.runrecords import WAITING
from backhaul.campaign.setting import Play
from backhaul.campaign.view import write_waiting
from backhaul.inbox.files import label_file
from backhaul.layout import RunFiles
from backhaul.storage.objects import read_value, remove, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet


@dataclass(frozen=True)
class Seen:
    """What a model saw in the images of a batch.

    Args:
        boxes: Its `FusedDetections`.
        model: Which model it was, as annotators are told.
    """

    boxes: Artifact
    model: str


def write_list(
    files: RunFiles, method: str, play: Play, image_ids: tuple[str, ...], seen: Seen
) -> str | None:
    """List the images of a batch that wait for labels, and where the labels shall be put.

    Args:
        files: Where the files of the run lie.
        method: Label of the method that waits.
        play: The batch; without `label_files` there is nothing to be put.
        image_ids: The images whose labels are missing.
        seen: What the method's model saw in the batch, for annotators to begin with.

    Returns:
        Where the list is: a CSV with node, name, image and the file that its labels go to.
    """
    if play.label_files is None:
        return None
    table = read_value(pd.DataFrame, play.label_files)
    rows = table[table["image_id"].isin(image_ids)].reset_index(drop=True)
    images = read_value(ImageSet, play.images).take(rows["image_id"])
    boxes = read_value(FusedDetections, seen.boxes).of_images(images.ids)
    plain = replace(boxes, scores=None, features=None, descriptors=None)
    waiting = Waiting(
        files=write_value(files.root, rows.drop(columns="image_id")),
        method=method,
        batch=play.number,
        images=write_value(files.root, images),
        seen=write_value(files.root, plain),
        model=seen.model,
    )
    return keep_list(files, waiting)


def keep_list(files: RunFiles, waiting: Waiting) -> str:
    """Record a list of images that wait, write it for people, and return where it is.

    Args:
        files: Where the files of the run lie.
        waiting: The images, with the method and the batch.
    """
    prefix = f"{waiting.method}{waiting.batch}"
    WAITING.write(files.waiting(prefix), waiting)
    write_waiting(files.view, prefix, waiting)
    return files.view.to_label(prefix)


def label_places(rows: pd.DataFrame, labels_at: str) -> pd.DataFrame:
    """Return where annotators shall put the labels of each image: node, name, image, labels.

    Args:
        rows: The images, with ``LOG_COLUMNS``.
        labels_at: The folder of labels.

    Returns:
        These columns after ``image_id``, a row an image.
    """
    names = zip(rows["node"], rows["name"], strict=True)
    files = [f"{labels_at}/{label_file(node, name)}" for node, name in names]
    table = rows[["image_id", "node", "name"]]
    return table.assign(image=rows["uri"], labels=files)


def remove_list(files: RunFiles, method: str, number: int) -> None:
    """Remove the list of a batch whose labels are complete.

    Args:
        files: Where the files of the run are.
        method: Label of the method that waited.
        number: Number of the batch.
    """
    prefix = f"{method}{number}"
    remove(files.view.to_label(prefix))
    remove(files.waiting(prefix))
