"""Stage that takes trained checkpoints of the user, in place of the initial training."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict

from backhaul.errors import InputError, StoreError
from backhaul.identity import code_digest
from backhaul.layout import CHECKPOINT_NAME, INITIAL
from backhaul.learn.settings import Start, Training
from backhaul.learn.training.start import checked_digest
from backhaul.storage.localcopies import local_file
from backhaul.storage.objects import read_value, write_checkpoint
from backhaul.storage.places import filesystem, patiently
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import ImageSet
from tasks.keys import Inputs
from tasks.stage import Step, stage


class GivenCheckpoint(BaseModel):
    """A checkpoint file that the user provides.

    Args:
        uri: Where it is stored.
        epoch: Epochs behind it.
        fingerprint: What the file system says of its content: it changes when the file does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    epoch: int
    fingerprint: str


def find_checkpoints(start: Start) -> tuple[GivenCheckpoint, ...]:
    """Return the checkpoint to start from and older ones in its folder, oldest first.

    Older ones have the same prefix, or are of the initial training. If `start` gives another
    epoch than the file's name, the epochs of the other files are unknown: they are left out.

    Raises:
        InputError: If there is no such file, or nothing says how many epochs are behind it.
    """
    place = f"start.checkpoint: {start.checkpoint}"
    fs, path = filesystem(start.checkpoint)
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    beside = _list(fs, folder, place)
    if name not in beside:
        raise InputError(f"{place}: no such file")
    numbered = CHECKPOINT_NAME.fullmatch(name)
    if start.epoch is None and numbered is None:
        raise InputError(
            f"{place}: its name does not end in _ckpt_EPOCH.pt: set start.epoch, or --epoch, "
            "to the number of epochs behind it"
        )
    epoch = start.epoch or int(numbered["epoch"] if numbered else 0)
    named_so = numbered is not None and int(numbered["epoch"]) == epoch
    older = _older(beside, numbered["method"], epoch) if numbered and named_so else {}
    return tuple(
        GivenCheckpoint(
            uri=fs.unstrip_protocol(f"{folder}/{file}"),
            epoch=number,
            fingerprint=fs.ukey(f"{folder}/{file}"),
        )
        for number, file in [*sorted(older.items()), (epoch, name)]
    )


def _list(fs: Any, folder: str, place: str) -> set[str]:
    """Return the names of the files in a folder, or under a prefix of an object store."""
    try:
        names = patiently(fs.ls)(folder, detail=False)
        return {PurePosixPath(name).name for name in names}
    except FileNotFoundError:
        raise InputError(f"{place}: no such folder or bucket") from None
    except (OSError, StoreError) as error:
        raise InputError(f"{place}: cannot be listed: {error}") from None


def _older(names: set[str], prefix: str, epoch: int) -> dict[int, str]:
    """Return the files of earlier epochs, those of `prefix` before the initial training's."""
    matches = [m for name in sorted(names) if (m := CHECKPOINT_NAME.fullmatch(name))]
    files = {
        int(m["epoch"]): m.string
        for p in (INITIAL, prefix)
        for m in matches
        if m["method"] == p
    }
    return {number: file for number, file in files.items() if number < epoch}


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
