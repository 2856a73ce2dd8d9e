"""Run a training in a process of its own, and receive its events epoch by epoch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from backhaul.environment import without_secrets
from backhaul.learn.training.job import (
    EVENTS,
    UNUSABLE_STATE,
    EpochDone,
    Event,
    TrainingJob,
)
from backhaul.learn.training.warm import ForkedTraining, Warm
from backhaul.look.libraries import LIBRARY_ENVIRONMENT, SAFE_LOAD, SETTINGS_FOLDER

WARM = Warm() if sys.platform == "linux" else None
"""Starts trainings; None where a process with these libraries cannot be forked."""


MLFLOW = "MLFLOW_"
"""What the variables begin with that a training needs which reports to MLflow."""


class TrainingError(RuntimeError):
    """A training process ended before its training was complete."""


class UnusableStateError(TrainingError):
    """The state from which a training should go on cannot be loaded."""


def train(job: TrainingJob) -> Iterator[Event]:
    """Yield the events of a training until it has ended.

    The training gets a process of its own: Ultralytics' and torch's globals, GPU memory and
    crashes stay there. The process ends by itself when this one dies or stops iterating. The
    files of an epoch are unchanged until the next event is requested.

    Raises:
        UnusableStateError: If its resume state cannot be loaded.
        TrainingError: If the process fails; the message has the end of its log.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    log = job.folder / "train.log"
    with log.open("ab") as errors, _start(job, errors.fileno()) as process:
        assert process.stdin is not None  # noqa: S101 - Popen was given PIPE
        assert process.stdout is not None  # noqa: S101
        try:
            with suppress(BrokenPipeError):  # it ended at once; the reason is in its log
                process.stdin.write(job.model_dump_json().encode() + b"\n")
                process.stdin.flush()
            for line in process.stdout:
                event = EVENTS.validate_json(line)
                yield event
                if isinstance(event, EpochDone):
                    _tell_stored(process.stdin)
            with suppress(BrokenPipeError):  # what it never read is lost with it
                process.stdin.close()
            code = process.wait()
        finally:
            process.kill()
    if code == UNUSABLE_STATE and job.resume is not None and job.settings.detector is None:
        raise UnusableStateError(last_words(log))
    if code != 0:
        raise TrainingError(f"training process {_ending(code)}: {last_words(log)}")


def _tell_stored(stdin: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # it has ended
        os.write(stdin.fileno(), b"\n")  # no buffer, whose rest would fail once more at its end


def _start(job: TrainingJob, errors: int) -> subprocess.Popen[bytes] | ForkedTraining:
    """Return a process that waits for the job: a warm one, or a new one for the user's code.

    The user's code may start threads on import, and must be imported anew each time. The warm
    one loads no code from checkpoints.
    """
    if WARM is not None and job.settings.detector is None and not job.settings.trust:
        return WARM.start(_environment(job), errors)
    trainer = "trainer" if job.settings.detector is None else "own_trainer"
    return subprocess.Popen(  # noqa: S603 - one of our own modules
        [sys.executable, "-P", "-m", f"backhaul.learn.training.{trainer}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(job),
    )


def _environment(job: TrainingJob) -> dict[str, str]:
    threads = str(job.settings.threads)
    environment = {
        **LIBRARY_ENVIRONMENT,
        **without_secrets(os.environ, keep=MLFLOW if job.settings.mlflow else None),
        SAFE_LOAD: "0" if job.settings.trust and job.settings.detector is None else "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        SETTINGS_FOLDER: str(job.folder / "settings"),  # each training chooses its own
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),  # user's own criteria
    }
    if job.settings.mlflow:
        environment = {
            "MLFLOW_EXPERIMENT_NAME": "backhaul",
            "MLFLOW_RUN": job.label,
        } | environment
    return environment


def _ending(code: int | None) -> str:
    if code is None:
        return "was lost with the process that had started it"
    return (
        f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    )


def last_words(log: Path) -> str:
    """Return the last line that a training has left in its log."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it left no message"
