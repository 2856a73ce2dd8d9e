"""Stages that make a model for nodes of checkpoints, and measure what it loses by that."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

import numpy as np
from prefect import get_run_logger

from backhaul import __version__
from backhaul.arrays import FloatArray
from backhaul.learn.export.graph import onnx_bytes
from backhaul.learn.export.latency import latencies_ms
from backhaul.learn.export.quantisation import calibration_images, quantised
from backhaul.learn.export.settings import Export
from backhaul.look.onnx import Onnx
from backhaul.look.settings import Inference
from backhaul.measure.metrics import average_precision
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_value, write_bytes, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint, LocalCheckpoint
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet
from backhaul.values.localimages import LocalImages
from backhaul.values.results import NodeModel, Reevaluated, Remeasured
from backhaul.values.splits import Splits
from tasks.inference import ULTRALYTICS, prediction_settings, with_local_files
from tasks.keys import libraries
from tasks.progress import Progress
from tasks.stage import Step, stage

MADE_BY = (*ULTRALYTICS, "onnx", "onnxruntime")


@stage("export", random=True, uses=libraries(*MADE_BY))
def export(
    checkpoints: tuple[Checkpoint, ...],
    seen: Artifact,
    settings: Export,
    img_size: int,
    *,
    step: Step,
) -> NodeModel:
    """Store an ensemble as one file that a node can run.

    Args:
        checkpoints: The ensemble, of Ultralytics' detectors.
        seen: The images that it was trained on (`Splits`); some of them calibrate int8.
        settings: How the model is made.
        img_size: Side of the square input, pixels.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    train = read_value(Splits, seen).train
    images = calibration_images(train, settings, step.rng("export"))

    def make(files: LocalImages, weights: Sequence[LocalCheckpoint]) -> bytes:
        model = onnx_bytes(weights, files.class_names, img_size, trust=step.trust)
        return quantised(model, files) if settings.precision == "int8" else model

    data = with_local_files(step.root, images, checkpoints, make)
    get_run_logger().info("%.1f MB, %s", len(data) / 1e6, settings.precision)
    versions = {name: metadata.version(name) for name in MADE_BY}
    return NodeModel(
        file=write_bytes(step.root, data, ".onnx"),
        size_bytes=len(data),
        img_size=img_size,
        epochs=tuple(checkpoint.epoch for checkpoint in checkpoints),
        calibration=write_value(step.root, images) if len(images) else None,
        versions={"backhaul": __version__} | versions,
    )


@stage(
    "reevaluation",
    random=False,
    uses=libraries("onnxruntime", "opencv-python", "faster-coco-eval"),
)
def reevaluate(
    model: NodeModel,
    before: tuple[Artifact, ...],
    images: Artifact,
    inference: Inference,
    evaluation: Evaluation,
    *,
    step: Step,
) -> Reevaluated:
    """Store what a model reaches on labelled images beside the checkpoints that it is made of.

    Args:
        model: The model.
        before: What each of its checkpoints detects in the images (`Detections`), in order.
        images: Labelled validation images (`ImageSet`).
        inference: How outputs become boxes.
        evaluation: Says from which confidence on boxes count.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    valid = read_value(ImageSet, images)
    lowest = min(evaluation.conf_floor, inference.conf_thres)
    floor = prediction_settings(inference, model.img_size, lowest, step)
    usual = prediction_settings(inference, model.img_size, inference.conf_thres, step)

    def look(
        files: LocalImages, weights: Sequence[LocalCheckpoint]
    ) -> tuple[Detections, FloatArray]:
        seen = Onnx().predict(files, weights, floor, Progress(f"{step}: reevaluation"))
        return seen, latencies_ms(weights[-1].path, files, usual)

    inside = tuple(Checkpoint(epoch=epoch, artifact=model.file) for epoch in model.epochs)
    after, taken_ms = with_local_files(step.root, valid, inside, look)
    p50, p95 = np.quantile(taken_ms, (0.5, 0.95)).tolist()
    return Reevaluated(
        checkpoints=tuple(
            Remeasured(
                epoch=epoch,
                map50_before=_map50(read_value(Detections, known), valid, evaluation),
                map50_after=_map50(after.take(after.epoch == epoch), valid, evaluation),
            )
            for epoch, known in zip(model.epochs, before, strict=True)
        ),
        n_images=len(valid),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
    )


def _map50(raw: Detections, images: ImageSet, evaluation: Evaluation) -> float:
    table = average_precision(raw.above(evaluation.conf_floor), images)
    return float(table.loc[table["class"] == "", "mAP50"].item())
