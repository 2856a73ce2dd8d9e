"""Stages that say what an ensemble makes of validation images."""

from __future__ import annotations

from prefect import get_run_logger

from backhaul.measure.validation import validate
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits
from tasks.stage import Step, stage


@stage("validation-set", random=False)
def validation_set(seen: Artifact, *, step: Step) -> Artifact:
    """Store the validation images of all `Splits` seen so far, as an `ImageSet`."""
    return write_value(step.root, read_value(Splits, seen).valid.originals().labelled())


@stage("validation", random=False)
def match_validation(
    images: Artifact, fused: Artifact, iou_thres: float, *, step: Step
) -> Artifact:
    """Store the table of a `Validation`: detections matched with the labels of images.

    Args:
        images: Validation images (`ImageSet`).
        fused: What the ensemble detected in them (`FusedDetections`).
        iou_thres: IoU from which a detection matches an object.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    found = validate(
        read_value(FusedDetections, fused), read_value(ImageSet, images), iou_thres
    )
    get_run_logger().info(
        "validation: %d detections, %d of them right",
        found.is_detection.sum(),
        found.is_hit.sum(),
    )
    return write_value(step.root, found.table)
