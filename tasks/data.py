"""Read the data set of a campaign."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict

from backhaul.artifacts import Artifact
from backhaul.config import DigitsData, FolderData
from backhaul.digits import write_scenes
from backhaul.errors import InputError
from backhaul.formats import read, sources
from backhaul.split import leave_out_seen
from backhaul.storeroot import INTERNAL
from backhaul.types import ImageSet, concat
from tasks.caching import content_digest
from tasks.places import absolute
from tasks.progress import Progress
from tasks.stages import Step, stage
from tasks.store import read_value, write_value


class Dataset(BaseModel):
    """A data set as it was read: an `ImageSet`, and how many warnings there were."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Artifact
    warnings: int


def data_folder(data: FolderData | DigitsData, root: str) -> FolderData:
    """Return the folder of the data set; the demo's scenes are written there first."""
    if isinstance(data, FolderData):
        return data
    base = Path.cwd() if "://" in root else Path(absolute(root))
    folder = base / INTERNAL / "data" / f"digits-{content_digest(data)}"
    write_scenes(folder, data)
    return FolderData(root=folder, format="yolo")


def fingerprint(data: FolderData) -> str:
    """Return a digest of name, size and time of change of every file of a data set.

    It tells whether the data set must be read again, without reading it.
    """
    digest = hashlib.sha256()
    for path in sources(data):
        try:
            status = os.stat(path)  # noqa: PTH116 - 200,000 Path objects are slow
        except FileNotFoundError:
            continue
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


@stage("data", random=False)
def read_data(data: FolderData, *, fingerprint: str, step: Step) -> Dataset:
    """Store the table of all images; wrong labels end the campaign, with all of them named."""
    report = read(data, Progress("reading images"))
    report.require_clean()
    logger = get_run_logger()
    for problem in report.problems:
        logger.warning("%s", problem)
    logger.info("%d images of %d classes", len(report.images), len(report.images.class_names))
    return Dataset(images=write_value(step.root, report.images), warnings=len(report.problems))


@stage("data", random=False)
def join_data(images: Artifact, initial: Artifact, *, step: Step) -> Artifact:
    """Store the labelled images of the initial set's data, and those of the data set.

    Of an image that is in both, the one of the initial set stays.
    """
    arriving, own = read_value(ImageSet, images), read_value(ImageSet, initial)
    if own.class_names != arriving.class_names:
        raise InputError(
            f"initial.data: its classes are {', '.join(own.class_names)}; expected those of "
            f"data, in the same order: {', '.join(arriving.class_names)}"
        )
    first = own.labelled()
    if not len(first):
        raise InputError("initial.data: none of its images has labels")
    rest, repeated = leave_out_seen(arriving, first)
    logger = get_run_logger()
    if left_out := len(own) - len(first):
        logger.warning("initial.data: %d images without labels are left out", left_out)
    if repeated:
        uri = arriving.take(repeated[:1]).table["uri"].iloc[0]
        logger.warning(
            "%d images are in initial.data as well and leave the pool, %s first",
            len(repeated),
            uri,
        )
    return write_value(step.root, concat([first, rest]))
