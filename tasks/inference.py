"""Stage that runs an ensemble of checkpoints over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from prefect import get_run_logger

from backhaul.errors import InputError
from backhaul.identity import code_digest
from backhaul.look.look import look, predictor_of
from backhaul.look.protocol import PredictionSettings, Predictor
from backhaul.look.settings import Inference
from backhaul.storage.imagefiles import localise
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import read_value, write_value
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint, LocalCheckpoint
from backhaul.values.detections import Detections, FusedDetections, Need
from backhaul.values.images import ImageSet
from backhaul.values.localimages import LocalImages
from tasks.keys import Inputs
from tasks.progress import Progress
from tasks.readable import without_unreadable
from tasks.stage import Step, stage

T = TypeVar("T")
ULTRALYTICS = ("opencv-python", "torch", "torchvision", "ultralytics")
FEW = 4  # checkpoints whose epochs a name has room for


def _by_epochs(parameters: Inputs) -> str:
    epochs = [str(checkpoint.epoch) for checkpoint in parameters["checkpoints"]]
    if len(epochs) > FEW:
        return f"-epochs-{epochs[0]}..{epochs[-1]}"
    return f"-epochs-{'+'.join(epochs)}"


def detector_libraries(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the libraries used to run a checkpoint; none for a detector of the user's own."""
    return () if checkpoint.detector else ULTRALYTICS


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    return detector_libraries(inputs["checkpoints"][0])


@stage("inference", random=False, uses=_libraries, about=_by_epochs)
def infer(
    images: Artifact,
    checkpoints: tuple[Checkpoint, ...],
    inference: Inference,
    img_size: int,
    needs: tuple[Need, ...] = (),
    *,
    step: Step,
) -> Artifact:
    """Store the `FusedDetections` of an ensemble, with scores and vectors if needed.

    Args:
        images: The images (`ImageSet`).
        checkpoints: The ensemble.
        inference: How outputs become boxes, and how boxes are fused.
        img_size: Side of the square input, pixels.
        needs: What the sampling method needs besides boxes.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    pool = read_value(ImageSet, images)
    settings = prediction_settings(inference, img_size, inference.conf_thres, step)
    settings = replace(settings, needs=frozenset(needs))
    predictor = predictor_for(checkpoints, step)
    progress = Progress(f"{step}: inference")

    def look_at(files: LocalImages, weights: Sequence[LocalCheckpoint]) -> FusedDetections:
        return look(files, weights, predictor, settings, inference, progress)

    fused = with_local_files(step.root, pool, checkpoints, look_at)
    vectors: dict[str, Any] = {  # of all images, also of those that nobody can look at
        name: known.filled(pool.ids) for name, known in fused.vectors().items()
    }
    fused = replace(fused, **vectors)
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
    """Return the settings of a prediction that keeps boxes above `conf_thres`.

    Args:
        inference: The campaign's settings of inference.
        img_size: Side of the square input, pixels.
        conf_thres: Confidence that boxes must exceed, in [0, 1].
        step: Says on which device, with how many threads.
    """
    return PredictionSettings(
        img_size=img_size,
        conf_thres=conf_thres,
        nms_thres=inference.nms_thres,
        max_detections=inference.max_detections,
        batch_size=inference.batch_size,
        device=step.device,
        threads=step.threads,
    )


def predictor_for(checkpoints: tuple[Checkpoint, ...], step: Step) -> Predictor:
    """Return what runs the checkpoints: the campaign's own detector if it trained them.

    Args:
        checkpoints: The checkpoints, all of one detector.
        step: Names the campaign's detector, and whether code in checkpoints may be run.

    Raises:
        InputError: If another one trained them: code is never named by what lies in a store.
    """
    trained_by = {checkpoint.detector for checkpoint in checkpoints}
    if trained_by == {""}:
        return predictor_of(None, step.trust)
    if trained_by != {code_digest(step.detector)}:
        raise InputError(
            "the detector of a checkpoint cannot be used: expected training.detector of the "
            "campaign, with the source that trained it"
        )
    return predictor_of(step.detector)


def with_local_files(
    root: str,
    images: ImageSet,
    checkpoints: tuple[Checkpoint, ...],
    look_at: Callable[[LocalImages, Sequence[LocalCheckpoint]], T],
) -> T:
    """Return what is seen in stored images, in a second try without unreadable ones.

    Args:
        root: Root of the store.
        images: The images.
        checkpoints: The checkpoints.
        look_at: Looks at images and with checkpoints that are files on this disk.
    """

    def work(some: ImageSet) -> T:
        with scratch_folder() as folder:
            weights = [
                LocalCheckpoint(
                    c.epoch, local_object(c.artifact, folder), c.artifact.content_digest
                )
                for c in checkpoints
            ]
            return look_at(localise(some, folder).local(), weights)

    return without_unreadable(root, images, "inference", work)


def predict_stored(
    root: str,
    images: ImageSet,
    checkpoints: tuple[Checkpoint, ...],
    settings: PredictionSettings,
    description: str,
    predictor: Predictor,
) -> Detections:
    """Return the detections of each stored checkpoint in stored images.

    Args:
        root: Root of the store.
        images: The images.
        checkpoints: The checkpoints.
        settings: How outputs become boxes.
        description: Name of the progress in Prefect's UI.
        predictor: Runs the checkpoints.
    """

    def look_at(files: LocalImages, weights: Sequence[LocalCheckpoint]) -> Detections:
        return predictor.predict(files, weights, settings, Progress(description))

    return with_local_files(root, images, checkpoints, look_at)
