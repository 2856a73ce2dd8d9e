"""How fast this machine trains a detector: a few steps of a real training, timed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from backhaul.environment import without_secrets
from backhaul.errors import InputError
from backhaul.learn.settings import NoStopping, Training
from backhaul.learn.training.job import TrainingJob
from backhaul.learn.training.process import last_words
from backhaul.learn.training.workfolder import write_work_folder
from backhaul.look.libraries import LIBRARY_ENVIRONMENT, SETTINGS_FOLDER
from backhaul.storage.imagefiles import localise
from backhaul.storage.scratch import scratch_folder
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits

STEPS = 6
"""Steps that are timed; the one before them warms up."""
LIMIT_S = 20.0
"""After which no further step is begun."""


class StepTimes(BaseModel):
    """What a trial took, without its first step.

    Args:
        images: Images that were trained with.
        wall_s: Time that passed.
        processor_s: Time of the processor that the process took.
        on_gpu: Whether a GPU did the work.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    wall_s: float
    processor_s: float
    on_gpu: bool


@dataclass(frozen=True, slots=True)
class Speed:
    """How long this machine trains with one image, and what of that was waiting for others.

    Args:
        seconds_per_image: Of one training, on a machine that does nothing else.
        slowdown: By which factor other processes slowed the trial down, at least 1.
        on_gpu: Whether a GPU does the work.
    """

    seconds_per_image: float
    slowdown: float = 1.0
    on_gpu: bool = False


def measure_speed(images: ImageSet, training: Training) -> Speed:
    """Train a few steps from nothing, and return how fast that went.

    On a CPU, processor time is what counts: what else the machine does at the moment does not
    make the forecast of a campaign worse. Images from an object store are fetched first.

    Args:
        images: Labelled images to train with, at least two.
        training: How to train.

    Raises:
        InputError: If no step came to its end.
    """
    with scratch_folder() as folder:
        local = localise(images, folder)
        with _started(local, training, folder / "trial") as process:
            assert process.stdout is not None  # noqa: S101 - Popen was given PIPE
            told = process.stdout.read().splitlines()  # images that were left out, then times
            code = process.wait()
        if code or not told:
            words = last_words(folder / "trial" / "train.log")
            raise InputError(f"training.model {training.model}: cannot be trained: {words}")
    return speed_of(StepTimes.model_validate_json(told[-1]), training.threads)


def speed_of(times: StepTimes, threads: int) -> Speed:
    """Return the speed that a trial had.

    Args:
        times: What it took.
        threads: CPU threads that it had.
    """
    if times.on_gpu:
        return Speed(times.wall_s / times.images, on_gpu=True)
    alone_s = min(times.processor_s / threads, times.wall_s)
    return Speed(alone_s / times.images, slowdown=times.wall_s / alone_s)


def _started(images: ImageSet, training: Training, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir()
    job = TrainingJob(
        folder=folder,
        class_names=images.class_names,
        settings=training,
        stopping=NoStopping(),
        epochs=STEPS + 1,  # of one step or more
        seed=0,
    )
    valid, train, test = (images.take(some) for some in (images.ids[:1], images.ids[1:], ()))
    write_work_folder(folder, Splits(train, valid, test))
    threads = str(training.threads)
    with (folder / "train.log").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "backhaul.learn.training.trial"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={
                **LIBRARY_ENVIRONMENT,
                **without_secrets(os.environ),
                "OMP_NUM_THREADS": threads,
                "MKL_NUM_THREADS": threads,
                SETTINGS_FOLDER: str(folder / "settings"),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
        )
    assert process.stdin is not None  # noqa: S101 - Popen was given PIPE
    process.stdin.write(job.model_dump_json().encode() + b"\n")
    process.stdin.flush()
    return process
