"""What a campaign costs around its stages: a detector and a stage that do next to nothing.

``python -m benchmarks.idle STORE COUNT`` prints how many seconds each of COUNT such stages took
on the Prefect server of `PREFECT_API_URL`, when they were run and when they were cached, and
how many seconds Prefect's own cached tasks took that do as little: the peer.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ParamSpec
from uuid import uuid4

import numpy as np
import pandas as pd
from prefect import flow, task
from prefect.cache_policies import INPUTS

from backhaul.arrays import FloatArray
from backhaul.learn.protocol import TrainedEpoch, TrainingTask
from backhaul.look.protocol import PredictionSettings
from backhaul.storage.objects import write_value
from backhaul.values.artifacts import Artifact
from blocks.opening import resolve
from tasks.stage import Step, stage

P = ParamSpec("P")

ONE_BOX = np.array([[8.0, 8.0, 24.0, 24.0, 0.5, 0.0]])


class IdleDetector:
    """Learns nothing, and sees the same box in every image."""

    def train(self, task: TrainingTask) -> Iterator[TrainedEpoch]:
        """Yield epochs whose weights are their number."""
        for epoch in range(task.first_epoch, task.first_epoch + task.epochs):
            weights = task.folder / "weights.pt"
            weights.write_text(str(epoch), encoding="utf-8")
            yield TrainedEpoch(train_loss=1.0, valid_loss=1.0, weights=weights)

    def predict(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterator[FloatArray]:
        """Yield the box, once an image."""
        for _ in images:
            yield ONE_BOX


@stage("idle", random=False)
def idle(number: int, *, step: Step) -> Artifact:
    """Store one number, as every stage stores something."""
    return write_value(step.root, pd.DataFrame({"number": [number]}))


@task(cache_policy=INPUTS, persist_result=True)
def plain(number: int, run: str) -> int:
    """Return a number, as a task of Prefect alone whose result is kept and found again."""
    return number


@flow(name="idle")
def idle_stages(store: str, count: int) -> dict[str, list[float]]:
    """Return the seconds of each stage and of each plain task: run, and then cached.

    The two take turns, so that a machine that gets slower is slower for both.
    """
    step, run = Step(root=resolve(store), seed=0), str(uuid4())
    idle(-1, step=step)  # the first one opens connections
    found: dict[str, list[float]] = {}
    for how in ("run", "cached"):
        for k in range(count):
            found.setdefault(how, []).append(_seconds(idle, k, step=step))
            found.setdefault(f"plain {how}", []).append(_seconds(plain, k, run))
    return found


def _seconds(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    started = time.perf_counter()
    call(*args, **kwargs)
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(idle_stages(sys.argv[1], int(sys.argv[2]))))
