"""The training process of a detector of the user's own.

Run as ``python -m backhaul.learn.training.own_trainer``, see `backhaul.learn.training.child`.
"""

from __future__ import annotations

import os
import shutil
import time

from backhaul.learn.protocol import Detector, TrainedEpoch, TrainingTask
from backhaul.learn.training.child import Events, begin, reason_to_stop
from backhaul.learn.training.job import EpochDone, EpochRecord, TrainingJob
from backhaul.learn.training.workfolder import read_splits
from backhaul.look.checkpoints import file_digest


def train(job: TrainingJob, events: Events) -> None:
    """Train the user's detector as the job says, and report every epoch.

    Raises:
        InputError: If the detector cannot be loaded or yields anything but epochs.
        RuntimeError: If it ends before the last epoch without a reason to stop.
    """
    assert job.settings.detector is not None  # noqa: S101 - or another process would train
    records = list(job.history)
    started = time.monotonic()
    code = job.settings.detector
    with code.running():
        detector: Detector = code.load()(**code.params)
        for epoch in detector.train(_task(job)):
            record = _record(job, len(records), epoch, time.monotonic() - started)
            records.append(record)
            stop = reason_to_stop(job, records)
            events.wait_until_stored()
            events.tell(_done(job, epoch, record, stop))
            if stop is not None:
                return
            started = time.monotonic()
    raise RuntimeError(
        f"{job.settings.detector.use}: ended after {len(records)} of {job.epochs} epochs"
    )


def _task(job: TrainingJob) -> TrainingTask:
    splits = read_splits(job.folder)
    folder = job.folder / "own"
    folder.mkdir(exist_ok=True)
    return TrainingTask(
        train=splits.train,
        valid=splits.valid,
        class_names=job.class_names,
        settings=job.settings,
        epochs=job.epochs - len(job.history),
        start=job.resume or job.start,
        first_epoch=job.start_epoch + len(job.history) + 1,
        folder=folder,
        seed=job.seed,
    )


def _record(
    job: TrainingJob, n_before: int, epoch: TrainedEpoch, seconds: float
) -> EpochRecord:
    return EpochRecord(
        epoch=job.start_epoch + n_before + 1,
        train_loss=epoch.train_loss,
        valid_loss=epoch.valid_loss,
        mAP50=epoch.mAP50,
        seconds=seconds,
    )


def _done(
    job: TrainingJob, epoch: TrainedEpoch, record: EpochRecord, stop: str | None
) -> EpochDone:
    number = record.epoch - job.start_epoch
    due = number % job.settings.checkpoint_interval == 0 or stop is not None
    state = job.folder / "state.pt"
    shutil.copyfile(epoch.weights, state)
    checkpoint = job.folder / f"ckpt_{record.epoch}.pt" if due else None
    if checkpoint is not None:
        shutil.copyfile(epoch.weights, checkpoint)
    digest = None if checkpoint is None else file_digest(checkpoint)
    return EpochDone(
        record=record, checkpoint=checkpoint, sha256=digest, state=state, stop=stop
    )


def main() -> None:
    """Run the training whose job is on standard input."""
    job, events = begin()
    train(job, events)
    os._exit(0)  # before `events` is closed, at which the parent would let go of us


if __name__ == "__main__":
    main()
