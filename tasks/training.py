"""Stage that trains the detector, and resumes a training that was killed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict, Field

from backhaul.errors import InputError, MissingObjectError
from backhaul.events import Epoch, emit
from backhaul.identity import code_digest
from backhaul.layout import resume_place
from backhaul.learn.settings import NoStopping, Stopping, Training
from backhaul.learn.stopping import best_epoch
from backhaul.learn.training.job import (
    EpochDone,
    EpochRecord,
    ImageLeftOut,
    StepDone,
    TrainingJob,
)
from backhaul.learn.training.process import UnusableStateError, train
from backhaul.learn.training.workfolder import too_small, write_splits, write_work_folder
from backhaul.storage.addresses import absolute
from backhaul.storage.checksums import with_checksum, without_checksum
from backhaul.storage.conditional import read_or_none
from backhaul.storage.damaged import set_aside
from backhaul.storage.imagefiles import localise
from backhaul.storage.intact import sha256_of
from backhaul.storage.listing import names_in
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import (
    has,
    put_file,
    read_value,
    remove,
    replace,
    write_checkpoint,
    write_value,
)
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import ImageSet, concat
from backhaul.values.results import TrainingResult
from backhaul.values.roots import Roots
from backhaul.values.splits import Splits
from tasks.keys import Inputs
from tasks.progress import Progress
from tasks.readable import warn_left_out, without_unreadable
from tasks.stage import Step, require_lease, stage, stage_key


class ResumeState(BaseModel):
    """Progress of an unfinished training, stored under ``resume/<key>/``."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    history: tuple[EpochRecord, ...] = ()
    steps: tuple[StepDone, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    state: Artifact | None = None
    stop: str | None = None
    resumed: bool = False
    state_epoch: int | None = Field(None, exclude=True)  # no record's word for what to remove

    def after(self, event: EpochDone, checkpoint: Checkpoint | None) -> ResumeState:
        """Return the progress after an epoch whose files, but for its state, are stored.

        Args:
            event: The finished epoch.
            checkpoint: The stored checkpoint of the epoch; None = it has none.
        """
        more = () if checkpoint is None else (checkpoint,)
        return self.model_copy(
            update={
                "history": (*self.history, event.record),
                "checkpoints": (*self.checkpoints, *more),
                "stop": event.stop,
            }
        )


def _from_epoch(parameters: Inputs) -> str:
    start: Checkpoint | None = parameters["start"]
    return f"-from-epoch-{0 if start is None else start.epoch}"


def _resume_place(step: Step, key: str) -> str:
    return resume_place(absolute(step.root), key)


def _forget_state(step: Step, key: str) -> None:
    """Remove the files from which a training would resume, the record of them first."""
    place = _resume_place(step, key)
    remove(f"{place}/state.json")
    remove(place)


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    own = inputs["training"].detector is not None
    return () if own else ("opencv-python", "torch", "ultralytics")


@stage("training", random=True, uses=_libraries, about=_from_epoch, after=_forget_state)
def train_detector(
    splits: Artifact,
    start: Checkpoint | None,
    training: Training,
    stopping: Stopping,
    *,
    epochs: int,
    model_digest: str,
    step: Step,
) -> TrainingResult:
    """Train on `splits`, and store every checkpoint and the history of losses.

    Args:
        splits: The images to train on and to validate with (`Splits`).
        start: Checkpoint to continue from; None = new weights of ``training.model``.
        training: How to train.
        stopping: When to stop before `epochs`.
        epochs: Most epochs, at least 1.
        model_digest: SHA-256 of the model's file, see `digest_of_model`.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    return _train_on(splits, start, training, stopping, epochs, model_digest, step)


@stage("trial", random=True, uses=_libraries, about=_from_epoch, after=_forget_state)
def train_trial(
    splits: Artifact,
    start: Checkpoint | None,
    training: Training,
    *,
    epochs: int,
    model_digest: str,
    step: Step,
) -> TrainingResult:
    """Train for all of `epochs`, only to compare what comes out; see `train_detector`.

    A stage of its own, so that what lists the trainings of a run does not count it as one.

    Args:
        splits: The images to train on and to validate with (`Splits`).
        start: Checkpoint to continue from.
        training: How to train.
        epochs: Epochs, at least 1.
        model_digest: SHA-256 of the model's file, see `digest_of_model`.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    return _train_on(splits, start, training, NoStopping(), epochs, model_digest, step)


def _train_on(
    splits: Artifact,
    start: Checkpoint | None,
    training: Training,
    stopping: Stopping,
    epochs: int,
    model_digest: str,
    step: Step,
) -> TrainingResult:
    if digest_of_model(training) != model_digest:
        raise InputError(f"{training.model}: is not the file that the campaign started with")
    images = read_value(Splits, splits)
    small = {} if training.detector else too_small(images.train) | too_small(images.valid)
    warn_left_out(step.root, concat([images.train, images.valid]), "training", small)
    usable = images.without(small)
    _require_both(usable)
    whole = concat([usable.train, usable.valid])

    def work(some: ImageSet) -> TrainingResult:
        kept = usable.without(set(whole.ids).difference(some.ids))
        return _trained(kept, start, training, stopping, epochs, step)

    return without_unreadable(step.root, whole, "training", work)


def _require_both(images: Splits) -> None:
    if not len(images.train) or not len(images.valid):
        raise InputError(
            f"{len(images.train)} images to train on and {len(images.valid)} to validate with: "
            "raise initial.images, initial.train or initial.valid"
        )


def _trained(
    images: Splits,
    start: Checkpoint | None,
    training: Training,
    stopping: Stopping,
    epochs: int,
    step: Step,
) -> TrainingResult:
    """Train on images that are all taken to be readable, see `train_detector`."""
    _require_both(images)
    place = _resume_place(step, stage_key())
    with scratch_folder() as folder:
        known, resume = _find_state(place, step.root, folder)
        job = TrainingJob(
            folder=folder,
            class_names=images.train.class_names,
            settings=training,
            stopping=stopping,
            epochs=epochs,
            seed=int(step.rng("training").integers(2**31 - 1)),
            start=None if start is None else local_object(start.artifact, folder),
            start_epoch=0 if start is None else start.epoch,
            history=known.history,
            resume=resume,
            label=str(step),
        )
        write = write_work_folder if training.detector is None else write_splits
        write(folder, _localised(images, folder))
        finished = _follow_or_begin_anew(job, known, place, step, images)
    return _result(finished, images, step.root)


def digest_of_model(training: Training) -> str:
    """Return the SHA-256 of a model's file; empty for a model that is given by name."""
    path = Path(training.model)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _follow_or_begin_anew(
    job: TrainingJob, known: ResumeState, place: str, step: Step, images: Splits
) -> ResumeState:
    try:
        return _follow(job, known, place, step, images)
    except UnusableStateError as error:
        get_run_logger().warning("begins anew, as its last state is damaged: %s", error)
        _set_state_aside(place)
        anew = job.model_copy(update={"resume": None, "history": ()})
        return _follow(anew, ResumeState(), place, step, images)


def _follow(
    job: TrainingJob, known: ResumeState, place: str, step: Step, images: Splits
) -> ResumeState:
    """Run the training job and store what it yields, epoch by epoch."""
    logger = get_run_logger()
    progress = Progress(f"{step}: training")
    if known.stop is not None:
        logger.info("was over after epoch %d: %s", known.history[-1].epoch, known.stop)
        return known
    if known.history:
        logger.info("goes on after epoch %d", known.history[-1].epoch)
    for event in train(job):
        if isinstance(event, ImageLeftOut):
            whole = concat([images.train, images.valid])
            warn_left_out(step.root, whole, "training", {event.image_id: event.reason})
            continue
        if isinstance(event, StepDone):
            known = known.model_copy(update={"steps": (*known.steps, event)})
            continue
        known = _store_epoch(event, known, place, job.settings, step.root)
        progress(len(known.history), job.epochs)
        measured = event.record.train_loss, event.record.valid_loss
        emit(Epoch(len(known.history), job.epochs, *measured))
        logger.info(
            "epoch %d: loss %.3f, validation %s",
            event.record.epoch,
            event.record.train_loss,
            "-" if event.record.valid_loss is None else f"{event.record.valid_loss:.3f}",
        )
    logger.info("stopped after epoch %d: %s", known.history[-1].epoch, known.stop)
    progress(job.epochs, job.epochs)
    return known


def _store_epoch(
    event: EpochDone, known: ResumeState, place: str, training: Training, root: str
) -> ResumeState:
    require_lease()
    checkpoint = None
    if event.checkpoint is not None and event.sha256 is not None:
        artifact = write_checkpoint(root, event.checkpoint, event.sha256)
        event.checkpoint.unlink()  # a long training would fill the disk with them
        checkpoint = Checkpoint(
            epoch=event.record.epoch, artifact=artifact, detector=code_digest(training.detector)
        )
    new = known.after(event, checkpoint)
    return new if event.state is None else _store_state(event.state, new, place, root)


def _store_state(path: Path, known: ResumeState, place: str, root: str) -> ResumeState:
    """Store that a training can go on from here, and remove from where it could before."""
    epoch = known.history[-1].epoch
    state = Artifact(uri=_state_place(place, epoch), sha256=sha256_of(path))
    put_file(path, state.uri)
    new = known.model_copy(update={"state": state, "state_epoch": epoch})
    fields = json.loads(new.model_dump_json(context=Roots(store=absolute(root))))
    replace(f"{place}/state.json", json.dumps(with_checksum(fields)).encode())
    if known.state_epoch is not None:
        remove(_state_place(place, known.state_epoch))
    return new


def _state_place(place: str, epoch: int) -> str:
    return f"{place}/state-{epoch}.pt"


def _find_state(place: str, root: str, folder: Path) -> tuple[ResumeState, Path | None]:
    """Return the progress of a training, and the state file to resume from, in `folder`.

    A training that is new, or over, has no state; one whose state is damaged is new.
    """
    data = read_or_none(f"{place}/state.json")
    if data is None:
        return ResumeState(), None
    try:
        known = _decoded(data, root)
        ahead = known.state if known.stop is None else None
        state = None if ahead is None else local_object(ahead, folder)
    except Exception as error:  # whatever lies in place of a state
        reason = " ".join(str(error).split())
        get_run_logger().warning("begins anew, as its last state is damaged: %s", reason)
        _set_state_aside(place)
        return ResumeState(), None
    epoch = known.history[-1].epoch if known.history else None
    return known.model_copy(update={"resumed": True, "state_epoch": epoch}), state


def _set_state_aside(place: str) -> None:
    for name in names_in(place):
        set_aside(f"{place}/{name}", "is of a training that cannot go on from it")


def _decoded(data: bytes, root: str) -> ResumeState:
    """Return the stored progress of a training.

    Raises:
        ValueError: If it is damaged.
        MissingObjectError: If one of its checkpoints is gone.
    """
    fields = without_checksum(json.loads(data))
    known = ResumeState.model_validate(fields, context=Roots(store=absolute(root)))
    for checkpoint in known.checkpoints:
        if not has(checkpoint.artifact):
            raise MissingObjectError(f"{checkpoint.artifact.uri}: is gone from the store")
    return known


def _localised(images: Splits, folder: Path) -> Splits:
    fetched = folder / "fetched"
    fetched.mkdir()
    return Splits(localise(images.train, fetched), localise(images.valid, fetched), images.test)


def _result(known: ResumeState, images: Splits, root: str) -> TrainingResult:
    saved = {checkpoint.epoch for checkpoint in known.checkpoints}
    losses = [r.valid_loss if r.epoch in saved else None for r in known.history]
    steps = pd.DataFrame(
        [step.model_dump(exclude={"kind"}) for step in known.steps],
        columns=["epoch", "step", "steps", "train_loss"],
    )
    return TrainingResult(
        checkpoints=known.checkpoints,
        first_epoch=known.history[0].epoch,
        epochs=len(known.history),
        best_epoch=known.history[best_epoch(losses)].epoch,
        history=write_value(root, pd.DataFrame([r.model_dump() for r in known.history])),
        steps=write_value(root, steps),
        stopped_because=known.stop or "interrupted",
        resumed=known.resumed,
        n_train=len(images.train),
        n_valid=len(images.valid),
        seconds=sum(record.seconds for record in known.history),
    )
