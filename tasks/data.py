"""Read the data set of a campaign."""

from __future__ import annotations

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict

from backhaul.artifacts import Artifact
from backhaul.config import DigitsData, FolderData, InboxData
from backhaul.digits import RECORD, write_scenes
from backhaul.errors import InputError
from backhaul.formats import DataReport, read, sources
from backhaul.split import leave_out_seen
from backhaul.storeroot import INTERNAL
from backhaul.types import ImageSet, concat
from tasks.caching import content_digest
from tasks.images import TRANSFERS
from tasks.progress import Progress
from tasks.remotedata import fingerprint_remote, read_remote
from tasks.stages import Step, stage
from tasks.storage.conditional import read_or_none
from tasks.storage.places import absolute, is_local
from tasks.storage.store import put_file, read_value, write_value


class Dataset(BaseModel):
    """A data set as it was read: an `ImageSet`, and how many warnings there were."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Artifact
    warnings: int


def data_folder(data: FolderData | DigitsData | InboxData, root: str) -> FolderData:
    """Return where the data set lies; the demo's scenes are written below `root` first.

    Raises:
        InputError: If images arrive in an inbox, hour by hour.
    """
    if isinstance(data, FolderData):
        return data
    if isinstance(data, InboxData):
        raise InputError("data.kind inbox: is for the flow hourly")
    folder = digits_folder(data, root)
    if is_local(folder):
        write_scenes(Path(folder), data)
    else:
        _upload_scenes(folder, data)
    return FolderData(root=folder, format="yolo")


def digits_folder(data: DigitsData, root: str) -> str:
    """Return where the demo's scenes lie below `root`, or would."""
    return f"{absolute(root)}/{INTERNAL}/data/digits-{content_digest(data)}"


def _upload_scenes(folder: str, data: DigitsData) -> None:
    """Put the scenes into an object store, their record last: without it they are cut."""
    if read_or_none(f"{folder}/{RECORD}") == data.model_dump_json().encode():
        return
    with tempfile.TemporaryDirectory() as temporary:
        scenes = Path(temporary) / "scenes"
        write_scenes(scenes, data)
        paths = [path for path in scenes.rglob("*") if path.is_file() and path.name != RECORD]
        progress = Progress("uploading scenes")

        def put(path: Path) -> None:
            put_file(path, f"{folder}/{path.relative_to(scenes).as_posix()}")

        with ThreadPoolExecutor(TRANSFERS) as threads:
            for done, _ in enumerate(threads.map(put, paths), start=1):
                progress(done, len(paths))
        put(scenes / RECORD)


def fingerprint(data: FolderData) -> str:
    """Return a digest of every file of a data set: its name, size and time of change or ETag.

    It tells whether the data set must be read again, without reading it.
    """
    if not is_local(data.root):
        return fingerprint_remote(data.root)
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
    report = _read(data)
    report.require_clean()
    logger = get_run_logger()
    for problem in report.problems:
        logger.warning("%s", problem)
    logger.info("%d images of %d classes", len(report.images), len(report.images.class_names))
    return Dataset(images=write_value(step.root, report.images), warnings=len(report.problems))


def _read(data: FolderData) -> DataReport:
    progress = Progress("reading images")
    if is_local(data.root):
        return read(data, progress)
    return read_remote(data, progress, Progress("fetching labels"))


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
