"""Stages that measure a detector on the test sets."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict

from backhaul.errors import InputError
from backhaul.look.fusion import fuse
from backhaul.look.look import look
from backhaul.look.settings import Inference
from backhaul.measure.evaluation import beside_ensemble
from backhaul.measure.evaluation import evaluate as measure_on
from backhaul.measure.explored import explored_rates
from backhaul.measure.matching import benchmark
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_value, write_value
from backhaul.values.arrivals import Arrivals
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint, LocalCheckpoint
from backhaul.values.detections import Detections, FusedDetections
from backhaul.values.images import ImageSet, concat
from backhaul.values.localimages import LocalImages
from backhaul.values.splits import Splits
from tasks.inference import (
    detector_libraries,
    prediction_settings,
    predictor_for,
    with_local_files,
)
from tasks.keys import Inputs
from tasks.progress import Progress
from tasks.stage import Step, stage


class TestSets(BaseModel):
    """The sets a detector is measured on, by name.

    Args:
        images: Sets of labelled images.
        tests_of: `Splits` whose test set is meant.
        next_batch: The batch that comes next, if its truth is known.
    """

    __test__ = False  # no test, though pytest would think so
    model_config = ConfigDict(frozen=True, extra="forbid")

    images: dict[str, Artifact]
    tests_of: dict[str, Artifact] = {}
    next_batch: Artifact | None = None

    def load(self) -> dict[str, ImageSet]:
        """Return the labelled images of the sets that have any."""
        more = {} if self.next_batch is None else {"next_batch": self.next_batch}
        sets = {name: read_value(ImageSet, a) for name, a in (self.images | more).items()}
        tests = {name: read_value(Splits, a).test for name, a in self.tests_of.items()}
        known = {name: images.labelled() for name, images in (sets | tests).items()}
        return {name: images for name, images in known.items() if len(images)}


@stage("common-test-set", random=False)
def common_test_set(splits: Artifact, held_out: Artifact, *, step: Step) -> Artifact:
    """Store the `ImageSet` that ranks methods: initial test set and held-out batches.

    Args:
        splits: The initial splits (`Splits`).
        held_out: The images that are never sampled (`ImageSet`).
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    common = concat([read_value(Splits, splits).test, read_value(ImageSet, held_out)])
    if not len(common):
        raise InputError(
            "the common test set is empty: raise initial.images or batches.holdout_batches"
        )
    return write_value(step.root, common)


@stage("old-test-set", random=False)
def old_test_set(splits: Artifact, *, step: Step) -> Artifact:
    """Store the initial test set as an `ImageSet`."""
    return write_value(step.root, read_value(Splits, splits).test)


@stage("benchmark", random=False)
def benchmark_batch(
    images: Artifact, fused: Artifact, evaluation: Evaluation, *, step: Step
) -> Artifact:
    """Store the benchmark table of a batch: its detections matched with its labels, if any.

    Args:
        images: The batch (`ImageSet`).
        fused: What was detected in it (`FusedDetections`).
        evaluation: How detections are matched and counted.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    seen = read_value(FusedDetections, fused)
    table = benchmark(seen, read_value(ImageSet, images), evaluation.iou_thres)
    return write_value(step.root, table)


@stage("explored", random=False)
def measure_explored(
    images: Artifact, seen: Artifact, arrivals: Artifact, evaluation: Evaluation, *, step: Step
) -> Artifact:
    """Store the table of what frames of a batch say that chance drew, of one row.

    Args:
        images: The batch with its labels, as far as they are known (`ImageSet`).
        seen: Its benchmark table.
        arrivals: The table of `Arrivals`.
        evaluation: How detections are counted.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    table = explored_rates(
        read_value(pd.DataFrame, seen),
        read_value(ImageSet, images),
        Arrivals.from_table(read_value(pd.DataFrame, arrivals)),
        evaluation.pos_thres,
    )
    return write_value(step.root, table)


def _of_epoch(parameters: Inputs) -> str:
    return f"-epoch-{parameters['current'].epoch}"


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    return (*detector_libraries(inputs["current"]), "faster-coco-eval")


@stage("evaluation", random=False, uses=_libraries, about=_of_epoch)
def evaluate(
    current: Checkpoint,
    looking: tuple[Checkpoint, ...],
    sets: TestSets,
    inference: Inference,
    evaluation: Evaluation,
    img_size: int,
    *,
    step: Step,
) -> Artifact:
    """Store the metrics of the current checkpoint and of the ensemble, by test set and class.

    Inference runs once on an image that is in several test sets.

    Args:
        current: The newest checkpoint.
        looking: The checkpoints of the ensemble.
        sets: The test sets.
        inference: How outputs become boxes, and how boxes are fused.
        evaluation: How detections are matched and counted.
        img_size: Side of the square input, pixels.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    loaded = sets.load()
    everything = _union(loaded)
    floor = prediction_settings(inference, img_size, evaluation.conf_floor, step)
    threshold = prediction_settings(inference, img_size, inference.conf_thres, step)
    predictor = predictor_for((current, *looking), step)

    def look_at(
        files: LocalImages, checkpoints: Sequence[LocalCheckpoint]
    ) -> tuple[Detections, FusedDetections]:
        newest, *weights = checkpoints
        raw = predictor.predict(files, (newest,), floor, Progress(f"{step}: evaluation"))
        progress = Progress(f"{step}: evaluation of ensemble")
        return raw, look(files, weights, predictor, threshold, inference, progress)

    raw, fused = with_local_files(step.root, everything, (current, *looking), look_at)
    confident = raw.above(inference.conf_thres)
    single = fuse(confident, (current.epoch,), inference.iou_thres)
    measured = measure_on(single, raw, loaded, evaluation)
    table = beside_ensemble(measured.table, fused, loaded, evaluation)
    for name, best in table[table["class"] == ""].set_index("test_set")["mAP50"].items():
        n_images = len(loaded[str(name)])
        get_run_logger().info("%s, %d images: mAP50 %.3f", name, n_images, best)
    return write_value(step.root, table)


def _union(sets: dict[str, ImageSet]) -> ImageSet:
    tables = [images.table for images in sets.values()]
    table = pd.concat(tables, ignore_index=True).drop_duplicates("image_id", ignore_index=True)
    return ImageSet(table, next(iter(sets.values())).class_names)
