"""Let an ensemble of checkpoints look at images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import get_run_logger

from backhaul.look.look import look, predict
from backhaul.look.protocol import PredictionSettings
from backhaul.look.settings import Inference
from backhaul.storage.imagefiles import localise
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint, LocalCheckpoint
from backhaul.values.detections import Detections, Need
from backhaul.values.images import ImageSet
from backhaul.values.localimages import LocalImages
from tasks.progress import Progress
from tasks.stage import Step, stage

FEW = 4  # checkpoints whose epochs a name has room for


def _by_epochs(parameters: Mapping[str, Any]) -> str:
    epochs = [str(checkpoint.epoch) for checkpoint in parameters["checkpoints"]]
    if len(epochs) > FEW:
        return f"-epochs-{epochs[0]}..{epochs[-1]}"
    return f"-epochs-{'+'.join(epochs)}"


@stage("inference", random=False, version=2, about=_by_epochs, neutral={"needs": ()})
def infer(
    images: Artifact,
    checkpoints: tuple[Checkpoint, ...],
    inference: Inference,
    img_size: int,
    needs: tuple[Need, ...] = (),
    *,
    step: Step,
) -> Artifact:
    """Store the `FusedDetections` of the images, with scores and features if needed."""
    pool = read_value(ImageSet, images)
    settings = prediction_settings(inference, img_size, inference.conf_thres, step)
    settings = replace(settings, needs=frozenset(needs))
    with local_files(pool, checkpoints) as (files, weights):
        progress = Progress(f"{step}: inference")
        fused = look(files, weights, settings, inference, progress)
    get_run_logger().info(
        "%d objects in %d images, by checkpoints %s",
        len(fused),
        len(pool),
        tuple(checkpoint.epoch for checkpoint in checkpoints),
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


@contextmanager
def local_files(
    images: ImageSet, checkpoints: tuple[Checkpoint, ...]
) -> Iterator[tuple[LocalImages, tuple[LocalCheckpoint, ...]]]:
    """Have stored images and checkpoints as files on this disk within the block."""
    with tempfile.TemporaryDirectory(prefix="backhaul-") as name:
        folder = Path(name)
        weights = tuple(
            LocalCheckpoint(
                c.epoch, local_object(c.artifact, folder), c.artifact.sha256, c.detector
            )
            for c in checkpoints
        )
        yield localise(images, folder).local(), weights


def predict_stored(
    images: ImageSet,
    checkpoints: tuple[Checkpoint, ...],
    settings: PredictionSettings,
    description: str,
) -> Detections:
    """Return what each of stored checkpoints sees in stored images."""
    with local_files(images, checkpoints) as (files, weights):
        return predict(files, weights, settings, Progress(description))
