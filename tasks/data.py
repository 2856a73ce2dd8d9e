"""Stages that read the data set of a campaign."""

from __future__ import annotations

import logging

from prefect import get_run_logger

from backhaul.data.arrangement import join
from backhaul.data.memory import machine_memory
from backhaul.data.merging import merge
from backhaul.data.settings import FolderData
from backhaul.data.source import data_set_digest, place_outside, read_anywhere
from backhaul.storage.objects import note_data_root, read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet
from backhaul.values.results import Dataset
from tasks.keys import Inputs
from tasks.progress import Progress
from tasks.stage import Step, stage


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    """Return the libraries that matter: groups may follow from the pixels that OpenCV gives."""
    return ("opencv-python", "pillow") if inputs["data"].groups == "auto" else ("pillow",)


@stage("data", random=False, uses=_libraries)
def read_data(data: FolderData, *, fingerprint: str, step: Step) -> Dataset:
    """Store all images of a data set as one `ImageSet`; wrong labels end the campaign.

    Args:
        data: The folder or address, and the format of its labels.
        fingerprint: Digest of the data set's files; a change makes the stage run again.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    logger = get_run_logger()
    with machine_memory() as memory:
        report = read_anywhere(
            data, Progress("reading images"), Progress("fetching labels"), memory
        )
        if memory.trouble is not None:
            logger.warning("%s", memory.trouble)
    report.require_clean()
    for problem in report.problems:
        level = logging.INFO if problem.severity == "note" else logging.WARNING
        logger.log(level, "%s", problem)
    logger.info("%d images of %d classes", len(report.images), len(report.images.class_names))
    place, digest = place_outside(data, step.root), ""
    if place is not None:
        digest = data_set_digest(report.images, place)
        note_data_root(step.root, digest, place)
    images = write_value(step.root, report.images)
    n_warnings = sum(problem.severity == "warning" for problem in report.problems)
    return Dataset(images=images, warnings=n_warnings, digest=digest)


@stage("data", random=False)
def join_data(images: Artifact, initial: Artifact, *, step: Step) -> Artifact:
    """Store one `ImageSet` of the initial set's labelled images and those of the data set.

    An image that is in both is taken from the initial set's data.

    Args:
        images: The data set (`ImageSet`).
        initial: The data from which the initial set is drawn (`ImageSet`).
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    arriving, own = read_value(ImageSet, images), read_value(ImageSet, initial)
    joined, repeated = join(arriving, own)
    logger = get_run_logger()
    if left_out := len(own) - len(own.labelled()):
        logger.warning("initial.data: %d images without labels are left out", left_out)
    if repeated:
        uri = arriving.take(repeated[:1]).table["uri"].iloc[0]
        logger.warning(
            "%d images are in initial.data as well and leave the pool, %s first",
            len(repeated),
            uri,
        )
    return write_value(step.root, joined)


@stage("data", random=False)
def merge_data(sets: tuple[Artifact, ...], names: tuple[str, ...], *, step: Step) -> Artifact:
    """Store one `ImageSet` of several data sets, whose classes are those of all of them.

    Args:
        sets: The data sets (`ImageSet` each).
        names: Their names, which their classes get in front.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    read = (read_value(ImageSet, each) for each in sets)
    merged = merge(dict(zip(names, read, strict=True)))
    get_run_logger().info("%d images of %d classes", len(merged), len(merged.class_names))
    return write_value(step.root, merged)
