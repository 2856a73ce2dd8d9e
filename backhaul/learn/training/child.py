"""Shared part of training processes: read the job, report events, end with the parent."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from backhaul.learn.stopping import should_stop
from backhaul.learn.training.job import EpochRecord, TrainingJob


class Events:
    """Sends events to the parent, a line of JSON each, and reads which epochs it has stored."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._stored = threading.Semaphore(1)

    def tell(self, event: BaseModel) -> None:
        """Send an event at once."""
        self._stream.write(event.model_dump_json() + "\n")
        self._stream.flush()

    def wait_until_stored(self) -> None:
        """Wait until the parent has stored the previous epoch; call it once an epoch.

        The files of that epoch may then be overwritten. A parent with a slow or unreachable
        store so slows the training down, and is never more than an epoch behind.
        """
        self._stored.acquire()

    def hear(self) -> None:
        """Read a byte for each epoch that the parent has stored; exit when the parent ends."""
        while os.read(0, 1):  # not through sys.stdin, whose lock would outlive this thread
            self._stored.release()
        os._exit(1)


def begin() -> tuple[TrainingJob, Events]:
    """Return the job, read from standard input, and the channel for its events.

    Standard input then stays open for as long as the parent lives; the process ends with it. A
    byte arrives for each epoch that the parent has stored. Everything printed after this call
    goes to the log. Ctrl-C, which a terminal sends to all processes at once, is left to the
    parent: a training that ended by itself would be one that failed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):  # only Linux shows a process by another name than its program's
        Path("/proc/self/comm").write_text("training", encoding="ascii")
    job = TrainingJob.model_validate_json(sys.stdin.buffer.readline())
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    events = Events(stream)
    threading.Thread(target=events.hear, daemon=True).start()
    return job, events


def reason_to_stop(job: TrainingJob, records: list[EpochRecord]) -> str | None:
    """Return why a training ends after the last of `records`, None if it continues."""
    train_losses = [record.train_loss for record in records]
    valid_losses = [record.valid_loss for record in records]
    if should_stop(job.stopping, train_losses, valid_losses):
        return f"stopping criterion {job.stopping.kind}"
    return "all epochs done" if len(records) == job.epochs else None
