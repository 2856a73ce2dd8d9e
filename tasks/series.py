"""Stages that measure checkpoints of a finished or running campaign again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from backhaul.look.fusion import fuse
from backhaul.look.settings import Inference
from backhaul.measure.evaluation import evaluate
from backhaul.measure.metrics import SMALL_PX2, average_precision
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet, concat
from backhaul.values.results import Measured
from backhaul.values.splits import Splits
from tasks.inference import (
    detector_libraries,
    predict_stored,
    prediction_settings,
    predictor_for,
)
from tasks.keys import Inputs, libraries
from tasks.stage import Step, stage


@stage("held-out", random=False)
def share_held_out(
    common: Artifact, old_test: Artifact, n_batches: int, *, step: Step
) -> tuple[Artifact, ...]:
    """Store the held-out images of the common test set as `n_batches` equal batches.

    Args:
        common: The common test set (`ImageSet`).
        old_test: The initial test set, a part of it (`ImageSet`).
        n_batches: Number of batches; their sizes differ by one image at most.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    everything = read_value(ImageSet, common)
    initial = everything.table["image_id"].isin(read_value(ImageSet, old_test).ids).to_numpy()
    held_out = everything.where(~initial)
    owner = np.arange(len(held_out)) * n_batches // max(len(held_out), 1)
    return tuple(write_value(step.root, held_out.where(owner == i)) for i in range(n_batches))


@stage("known-truth", random=False)
def labelled_so_far(images: Artifact, splits: tuple[Artifact, ...], *, step: Step) -> Artifact:
    """Store, as an `ImageSet`, those of `images` that have labels in any of `splits`.

    Args:
        images: The images (`ImageSet`).
        splits: Labelled images of the campaign (`Splits`).
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    arrived = read_value(ImageSet, images)
    parts = [arrived.where(np.zeros(len(arrived), dtype=bool))]
    for stored in splits:
        each = read_value(Splits, stored)
        parts += [each.train, each.valid, each.test]
    table = pd.concat([part.table for part in parts], ignore_index=True)
    table = table[table["image_id"].isin(arrived.ids)]
    table = table.drop_duplicates("image_id", ignore_index=True)
    return write_value(step.root, ImageSet(table, arrived.class_names))


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    return detector_libraries(inputs["checkpoint"])


@stage("predictions", random=False, uses=_libraries)
def predict_part(
    images: Artifact,
    checkpoint: Checkpoint,
    inference: Inference,
    conf_floor: float,
    img_size: int,
    *,
    step: Step,
) -> Artifact:
    """Store the `Detections` of one checkpoint, down to the lowest confidence any metric uses.

    Boxes above ``conf_thres`` are the same as in a prediction with that threshold: suppression
    starts with the most confident box, so a box is never suppressed by a less confident one.

    Args:
        images: The images (`ImageSet`).
        checkpoint: The checkpoint.
        inference: How outputs become boxes.
        conf_floor: Lowest confidence of a box, in [0, 1].
        img_size: Side of the square input, pixels.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    part = read_value(ImageSet, images)
    lowest = min(conf_floor, inference.conf_thres)
    settings = prediction_settings(inference, img_size, lowest, step)
    description = f"{step}: epoch {checkpoint.epoch}"
    predictor = predictor_for((checkpoint,), step)
    found = predict_stored(step.root, part, (checkpoint,), settings, description, predictor)
    return write_value(step.root, found)


@stage("series", random=False, uses=libraries("faster-coco-eval"))
def measure(
    looking: tuple[Checkpoint, ...],
    predictions: tuple[Artifact, ...],
    sets: dict[str, tuple[Artifact, ...]],
    inference: Inference,
    evaluation: Evaluation,
    *,
    step: Step,
) -> Measured:
    """Store metrics and benchmark tables of one checkpoint, or of several as an ensemble.

    Args:
        looking: The checkpoints of the ensemble.
        predictions: Detections of each (`Detections`), in any order.
        sets: The images of each test set, which are among those predicted on.
        inference: How detections are fused.
        evaluation: How they are matched and counted.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    loaded = {name: concat(read_value(ImageSet, a) for a in s) for name, s in sets.items()}
    loaded = {name: images for name, images in loaded.items() if len(images)}
    ids = [image_id for images in loaded.values() for image_id in images.ids]
    raw = _seen(predictions, ids)
    low, confident = (raw.above(c) for c in (evaluation.conf_floor, inference.conf_thres))
    epochs = tuple(checkpoint.epoch for checkpoint in looking)
    label_from = inference.label_from
    alone = len(looking) == 1  # its own classes count in average precision, fused or not
    ranked = low if alone else fuse(low, epochs, inference.iou_thres, label_from)
    fused = fuse(confident, epochs, inference.iou_thres, label_from)
    measured = evaluate(fused, ranked, loaded, evaluation)
    return Measured(
        table=write_value(step.root, measured.table),
        benchmarks={
            name: write_value(step.root, table) for name, table in measured.benchmarks.items()
        },
    )


@stage("small-objects", random=False, uses=libraries("faster-coco-eval"))
def measure_small(
    predictions: Artifact, images: Artifact, evaluation: Evaluation, *, step: Step
) -> Artifact:
    """Store the average precision of one checkpoint on small objects, as COCO defines them.

    Args:
        predictions: Its detections (`Detections`).
        images: The images of a test set, which are among those predicted on (`ImageSet`).
        evaluation: How detections are counted.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    tested = read_value(ImageSet, images)
    low = _seen((predictions,), tested.ids).above(evaluation.conf_floor)
    return write_value(step.root, average_precision(low, tested, SMALL_PX2))


def _seen(predictions: Iterable[Artifact], ids: Sequence[str]) -> Detections:
    return Detections.concat(read_value(Detections, a).of_images(ids) for a in predictions)
