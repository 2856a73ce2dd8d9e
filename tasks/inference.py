"""Let an ensemble of checkpoints look at images."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import get_run_logger

from backhaul.look.fusion import fuse
from backhaul.look.own import predict_with, read_code
from backhaul.look.protocol import PredictionSettings
from backhaul.look.settings import Inference
from backhaul.look.ultralytics import predict
from backhaul.storage.imagefiles import localise
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint, LocalCheckpoint
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet
from tasks.progress import Progress
from tasks.stage import Step, stage

FEW = 4  # checkpoints whose epochs a name has room for


def _by_epochs(parameters: Mapping[str, Any]) -> str:
    epochs = [str(checkpoint.epoch) for checkpoint in parameters["checkpoints"]]
    if len(epochs) > FEW:
        return f"-epochs-{epochs[0]}..{epochs[-1]}"
    return f"-epochs-{'+'.join(epochs)}"


@stage("inference", random=False, about=_by_epochs)
def infer(
    images: Artifact,
    checkpoints: tuple[Checkpoint, ...],
    inference: Inference,
    img_size: int,
    *,
    step: Step,
) -> Artifact:
    """Store the `FusedDetections` of the images."""
    pool = read_value(ImageSet, images)
    settings = prediction_settings(inference, img_size, inference.conf_thres, step)
    found = predict_stored(pool, checkpoints, settings, f"{step}: inference")
    epochs = tuple(checkpoint.epoch for checkpoint in checkpoints)
    fused = fuse(found, epochs, inference.iou_thres, inference.label_from)
    get_run_logger().info(
        "%d objects in %d images, by checkpoints %s", len(fused.table), len(pool), epochs
    )
    return write_value(step.root, fused)


def prediction_settings(
    inference: Inference, img_size: int, conf_thres: float, step: Step
) -> PredictionSettings:
    """Return how to predict, with the confidence floor of the purpose."""
    return PredictionSettings(
        img_size=img_size,
        conf_thres=conf_thres,
        nms_thres=inference.nms_thres,
        max_detections=inference.max_detections,
        batch_size=inference.batch_size,
        device=step.device,
        threads=step.threads,
    )


def predict_stored(
    images: ImageSet,
    checkpoints: tuple[Checkpoint, ...],
    settings: PredictionSettings,
    description: str,
) -> Detections:
    """Return what stored checkpoints see in stored images."""
    with tempfile.TemporaryDirectory(prefix="backhaul-") as name:
        folder = Path(name)
        local = [
            LocalCheckpoint(c.epoch, local_object(c.artifact, folder), c.artifact.sha256)
            for c in checkpoints
        ]
        progress = Progress(description)
        if detector := checkpoints[0].detector:
            code = read_code(detector)
            return predict_with(code, localise(images, folder), local, settings, progress)
        return predict(localise(images, folder), local, settings, progress)
