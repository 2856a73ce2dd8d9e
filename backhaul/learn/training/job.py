"""Messages between a training process and its parent: the job, and events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from backhaul.learn.settings import Stopping, Training


class _Message(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="constants",  # a training that diverged must be able to say so
    )


class EpochRecord(_Message):
    """One epoch of a training.

    Args:
        epoch: Number of the epoch, continued from the model the training started from, from 1.
        train_loss: Sum of the training losses, mean over the epoch.
        valid_loss: Sum of the validation losses; None where the epoch was not validated.
        mAP50: On the validation set, by Ultralytics' validator; None where not validated.
        seconds: Wall time of the epoch.
    """

    epoch: int
    train_loss: float
    valid_loss: float | None
    mAP50: float | None  # noqa: N815 - the metric's name everywhere
    seconds: float


UNUSABLE_STATE = 3
"""Exit code of a training whose resume state cannot be loaded."""


class TrainingJob(_Message):
    """A training to be run in a process of its own.

    Args:
        folder: Work folder; it holds ``data.yaml`` and links to the images.
        class_names: Names of the classes, in the order of their ids.
        settings: How to train.
        stopping: When to stop before `epochs`.
        epochs: Most epochs.
        seed: Seed of weights, order and online augmentation.
        start: Checkpoint to start from; None = new weights by ``settings.model``.
        start_epoch: Epochs that `start` has behind it.
        history: Epochs of this training that are already done.
        resume: Resume state of the last epoch of `history`; None = begin.
        label: What is trained, for logs.
    """

    folder: Path
    class_names: tuple[str, ...]
    settings: Training
    stopping: Stopping
    epochs: int = Field(ge=1)
    seed: int = Field(ge=0, le=2**31 - 1)
    start: Path | None = None
    start_epoch: int = 0
    history: tuple[EpochRecord, ...] = ()
    resume: Path | None = None
    label: str = "training"


class StepDone(_Message):
    """The training loss in the middle of an epoch (``logs_per_epoch``)."""

    kind: Literal["step"] = "step"
    epoch: int
    step: int
    steps: int
    train_loss: float


class EpochDone(_Message):
    """An epoch has finished.

    Args:
        record: What was measured.
        checkpoint: Weights of this epoch, or None between checkpoints.
        sha256: Digest of that checkpoint's tensors and architecture.
        state: Full state to resume from, or None between such states.
        stop: Why training ends with this epoch, or None if it goes on.
    """

    kind: Literal["epoch"] = "epoch"
    record: EpochRecord
    checkpoint: Path | None
    sha256: str | None
    state: Path | None
    stop: str | None


class ImageLeftOut(_Message):
    """An image that the trainer does not take, found when it looked through the work folder."""

    kind: Literal["left-out"] = "left-out"
    image_id: str
    reason: str


Event: TypeAlias = StepDone | EpochDone | ImageLeftOut
EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
