"""Stages that get the labels (ground truth) of images."""

from __future__ import annotations

from prefect import get_run_logger

from backhaul.code import UserCode
from backhaul.data.labelling import (
    label_by_function,
    label_from_existing,
    label_where_known,
)
from backhaul.storage.imagefiles import localise
from backhaul.storage.objects import read_value, write_value
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet
from tasks.readable import without_unreadable
from tasks.stage import Step, stage


@stage("labelling", random=False)
def label_existing(images: Artifact, truth: Artifact, *, step: Step) -> Artifact:
    """Store `images` as an `ImageSet` with the labels that `truth` has for them.

    Args:
        images: The images (`ImageSet`).
        truth: The data set with its labels (`ImageSet`).
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    labelled = label_from_existing(read_value(ImageSet, images), read_value(ImageSet, truth))
    get_run_logger().info("labelled %d images", len(labelled))
    return write_value(step.root, labelled)


@stage("truth", random=False)
def label_known(images: Artifact, truth: Artifact, *, step: Step) -> Artifact:
    """Store `images` as an `ImageSet`, labelled where `truth` has labels for them.

    Args:
        images: The images (`ImageSet`).
        truth: The data set with its labels (`ImageSet`).
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    labelled = label_where_known(read_value(ImageSet, images), read_value(ImageSet, truth))
    return write_value(step.root, labelled)


def require_labels(images: Artifact, truth: Artifact) -> None:
    """Do nothing if `truth` has labels for all `images`.

    Raises:
        AwaitingLabelsError: If it has not.
    """
    label_from_existing(read_value(ImageSet, images), read_value(ImageSet, truth))


@stage("labelling", random=False)
def label_with(images: Artifact, source: UserCode, *, step: Step) -> Artifact:
    """Store `images` as an `ImageSet` with the labels that a user's function gives.

    Args:
        images: The images (`ImageSet`).
        source: The function.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    unlabelled = read_value(ImageSet, images)

    def work(some: ImageSet) -> ImageSet:
        with scratch_folder() as folder:
            done = label_by_function(localise(some, folder), source)
        return ImageSet(done.table.assign(uri=some.table["uri"]), done.class_names)

    labelled = without_unreadable(step.root, unlabelled, "labelling", work)
    get_run_logger().info("labelled %d images with %s", len(labelled), source.use)
    return write_value(step.root, labelled)
