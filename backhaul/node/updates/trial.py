"""Try a model in a process of its own, so that one that crashes or hangs hurts nobody."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.errors import InputError
from backhaul.look.onnx import OnnxModel
from backhaul.node.updates.errors import RefusedError
from backhaul.node.updates.probe import (
    TOLERANCES,
    Probe,
    agreement,
    boxes_in,
    expected_of,
    f1,
    pixels_of,
    probe_of,
)
from backhaul.untrusted import one_line

LEAST_LOOKS = 20
"""Looks whose times count; the images come again where they are fewer."""
MOST_ANSWER_BYTES = 10_000
_NICENESS = 10
_PASSED_ON = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR")
"""Environment variables of the trial: none that may hold keys."""


class Task(BaseModel):
    """What a trial is given.

    Args:
        model: The model's file.
        sha256: Digest that it must have.
        probe: File of probe images.
        before: File of the model that looks now; None = there is nothing to compare with.
        threads: CPU threads of a look.
        most_bytes: Most memory that it may take.
        trial_s: Most time that it may take, seconds.
    """

    model_config = ConfigDict(frozen=True)

    model: Path
    sha256: str
    probe: Path
    before: Path | None
    threads: int
    most_bytes: int
    trial_s: float


class Answer(BaseModel):
    """What came of a trial.

    Args:
        refusal: What is wrong with the model; empty if nothing is.
        p95_s: Time that 95 % of looks stay below, seconds.
        f1: On labelled probe images; None without any.
        f1_before: That of the model that looks now, likewise.
    """

    refusal: str = ""
    p95_s: float = 0.0
    f1: float | None = None
    f1_before: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model must keep.

    Args:
        look_s: Most that 95 % of looks may take, seconds.
        most_drop: Most that F1 may fall by.
    """

    look_s: float
    most_drop: float


def try_model(task: Task, limits: Limits) -> None:
    """Do nothing if a model loads here, sees what it sees at home, fast enough, and no worse.

    Raises:
        RefusedError: If it does not.
    """
    answer = _answer(task)
    if answer.refusal:
        raise RefusedError(one_line(answer.refusal, 300))
    if answer.p95_s > limits.look_s:
        raise RefusedError(
            f"95 % of looks take up to {answer.p95_s:.2f} s, expected {limits.look_s:g} s"
        )
    if answer.f1 is not None and answer.f1_before is not None:
        drop = answer.f1_before - answer.f1
        if drop > limits.most_drop:
            raise RefusedError(
                f"F1 on labelled probe images falls from {answer.f1_before:.2f} to "
                f"{answer.f1:.2f}, by more than {limits.most_drop:g}"
            )


def _answer(task: Task) -> Answer:
    environment = {k: os.environ[k] for k in _PASSED_ON if k in os.environ}
    try:
        with tempfile.TemporaryDirectory() as empty:  # a model finds no files beside it
            ended = subprocess.run(
                [sys.executable, "-P", "-m", "backhaul.node.updates.trial"],
                input=task.model_dump_json().encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=empty,
                env=environment,
                timeout=task.trial_s,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise RefusedError(f"its trial was not over after {task.trial_s:g} s") from None
    if ended.returncode:
        raise RefusedError(f"its trial crashed ({_end(ended.returncode)})")
    try:
        return Answer.model_validate_json(ended.stdout[:MOST_ANSWER_BYTES])
    except ValidationError:
        raise RefusedError("its trial ended without an answer") from None


def _end(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def tried(task: Task) -> Answer:
    """Return what came of a trial, made in this process."""
    try:
        probe = probe_of(task.probe.read_bytes())
        model = OnnxModel(task.model, task.sha256, task.threads)
        times: list[float] = []
        n_agree, n_all, score = _looked(model, probe, times)
    except InputError as error:
        return Answer(refusal=str(error).removeprefix(f"{task.model}: "))
    except MemoryError:
        return Answer(refusal="it needs too much memory")
    except Exception as error:  # of many types, for whatever a model does
        return Answer(refusal=f"it fails at a look: {error}")
    if n_agree < TOLERANCES[model.info.precision].share * n_all:
        return Answer(
            refusal=f"{n_all - n_agree} of {n_all} boxes in probe images are not as at home"
        )
    return Answer(
        p95_s=float(np.quantile(times, 0.95)),
        f1=score,
        f1_before=_before(task, probe, model.info.class_names),
    )


def _looked(
    model: OnnxModel, probe: Probe, times: list[float]
) -> tuple[int, int, float | None]:
    """Return boxes that agree, all boxes, and F1; the first look does not count for times."""
    tolerance = TOLERANCES[model.info.precision]
    pictures = [pixels_of(image) for image in probe.images]
    boxes_in(model, pictures[0], probe)
    n_agree, n_all, hits, objects = 0, 0, 0, 0
    for image, pixels in zip(probe.images, pictures, strict=True):
        with _timed(times):
            found = boxes_in(model, pixels, probe)
        agree, every = agreement(found, expected_of(image), probe.conf_thres, tolerance)
        n_agree, n_all = n_agree + agree, n_all + every
        if image.labelled is not None:
            hit, every = f1(found, np.array(image.labelled, dtype=float).reshape(-1, 5))
            hits, objects = hits + hit, objects + every
    for number in range(len(pictures), LEAST_LOOKS):
        with _timed(times):
            boxes_in(model, pictures[number % len(pictures)], probe)
    return n_agree, n_all, hits / objects if objects else None


def _before(task: Task, probe: Probe, class_names: tuple[str, ...]) -> float | None:
    """Return F1 of the model that looks now; None where the two cannot be compared."""
    if task.before is None:
        return None
    try:
        model = OnnxModel(task.before, threads=task.threads)
    except (InputError, OSError):
        return None
    if model.info.class_names != class_names:
        return None
    return _looked(model, probe, [])[2]


@contextmanager
def _timed(times: list[float]) -> Iterator[None]:
    began_s = time.perf_counter()
    yield
    times.append(time.perf_counter() - began_s)


def main() -> None:
    """Read a task from standard input, try the model, and print the answer."""
    task = Task.model_validate_json(sys.stdin.buffer.read())
    os.nice(_NICENESS)
    signal.setitimer(signal.ITIMER_REAL, task.trial_s)  # also if the agent is gone meanwhile
    # Memory that is written to, as of weights and activations; not what is only mapped.
    resource.setrlimit(resource.RLIMIT_DATA, (task.most_bytes, task.most_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write(tried(task).model_dump_json())


if __name__ == "__main__":
    main()
