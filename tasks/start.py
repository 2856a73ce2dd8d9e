"""Stage that takes trained checkpoints of the user, in place of the initial training."""

from __future__ import annotations

from prefect import get_run_logger

from backhaul.identity import code_digest
from backhaul.learn.given import GivenCheckpoint
from backhaul.learn.settings import Training
from backhaul.learn.training.start import checked_digest
from backhaul.storage.localcopies import local_file
from backhaul.storage.objects import read_value, write_checkpoint
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import ImageSet
from tasks.keys import Inputs
from tasks.stage import Step, stage


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    return () if inputs["training"].detector is not None else ("ultralytics",)


@stage("start", random=False, uses=_libraries)
def take_checkpoints(
    given: tuple[GivenCheckpoint, ...], images: Artifact, training: Training, *, step: Step
) -> tuple[Checkpoint, ...]:
    """Store the user's checkpoints; classes and architecture must be the campaign's.

    Args:
        given: The checkpoints, oldest first.
        images: The data set (`ImageSet`), for its classes.
        training: Settings of the training, for the architecture.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    classes = read_value(ImageSet, images).class_names
    taken = []
    detector = code_digest(training.detector)
    with scratch_folder() as folder:
        for checkpoint in given:
            path = local_file(checkpoint.uri, folder)
            digest = checked_digest(path, classes, training)
            artifact = write_checkpoint(step.root, path, digest)
            taken.append(
                Checkpoint(epoch=checkpoint.epoch, artifact=artifact, detector=detector)
            )
    epochs = [checkpoint.epoch for checkpoint in taken]
    get_run_logger().info("starts from %s, with epochs %s", given[-1].uri, epochs)
    return tuple(taken)
