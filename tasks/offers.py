"""Stages that bring images into the form in which they are sent, and label what was sent."""

from __future__ import annotations

import pandas as pd
from prefect import get_run_logger

from backhaul.data.recipes import Prepared
from backhaul.data.versions import Versions, labelled_versions, make_versions
from backhaul.storage.imagefiles import localise, store_images
from backhaul.storage.objects import read_value, write_value
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.results import Offered
from tasks.keys import libraries
from tasks.progress import Progress
from tasks.readable import warn_left_out
from tasks.stage import Step, stage


@stage("offers", random=False, uses=libraries("pillow"))
def prepare_offers(
    images: Artifact, sending: Prepared, fused: Artifact | None = None, *, step: Step
) -> Offered:
    """Store the images of a batch in the form in which they would be sent.

    Args:
        images: The batch (`ImageSet`).
        sending: In what form images are sent.
        fused: Detections in it (`FusedDetections`), if that depends on them.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    captured = read_value(ImageSet, images).without_labels()
    seen = None if fused is None else read_value(FusedDetections, fused)

    reasons: dict[str, str] = {}
    with scratch_folder() as folder:
        local, progress = localise(captured, folder), Progress(f"{step}: preparing offers")
        made = make_versions(local, seen, sending, folder, reasons.__setitem__, progress)
        stored = Versions(store_images(step.root, made.images), made.sources)
    if reasons:
        warn_left_out(step.root, captured, "encoding", reasons)
    versions = stored.with_originals(captured)
    sizes = (int(each.table["size_bytes"].sum()) for each in (captured, versions.images))
    get_run_logger().info("%d bytes as captured, %d as they would be sent", *sizes)
    return offered_as(images, versions, step.root)


@stage("sent-truth", random=False)
def truth_of_sent(
    sent: Offered, truth: Artifact, min_visibility: float, *, step: Step
) -> Artifact:
    """Store what was sent as an `ImageSet`, labelled where `truth` has labels of its images.

    Args:
        sent: Images as they were sent.
        truth: The data set with its labels (`ImageSet`).
        min_visibility: Least fraction of a box's area inside a crop with which it goes.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    labelled = labelled_versions(versions_of(sent), read_value(ImageSet, truth), min_visibility)
    return write_value(step.root, labelled)


def offered_as(captured: Artifact, versions: Versions, root: str) -> Offered:
    """Store images as they are sent, beside those that they were made of."""
    return Offered(
        captured=captured,
        images=write_value(root, versions.images),
        sources=write_value(root, versions.sources),
    )


def versions_of(offered: Offered) -> Versions:
    """Read images as they are sent."""
    images = read_value(ImageSet, offered.images)
    return Versions(images, read_value(pd.DataFrame, offered.sources))
