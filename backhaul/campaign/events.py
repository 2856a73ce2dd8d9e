"""Event files of TensorBoard: the curves of a training and its metrics.

They are written by TensorBoard's own writer. PyTorch's imports PyTorch: a fifth of what the
process of a method costs whose stages are all cached.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

EVENT_FILES = "events.out.tfevents.*"
STEPS_PER_EPOCH = 1000
"""Steps of TensorBoard, which are whole numbers, in an epoch: 2500 is amid the third one."""

_EPOCH_CURVES = ("train_loss", "valid_loss", "mAP50")


def write_events(
    folder: Path,
    history: pd.DataFrame | None,
    steps: pd.DataFrame | None,
    evaluation: pd.DataFrame,
    epoch: int,
) -> None:
    """Write one round as event files of TensorBoard, in place of those there.

    ``train_loss``, ``valid_loss`` and ``mAP50`` have the number of the epoch as their step;
    ``train_loss_within_epochs`` has `STEPS_PER_EPOCH` steps an epoch; ``<test set>/<metric>``
    has `epoch`. What has no value is left out.

    Args:
        folder: Folder of this round.
        history: Training by epoch: epoch, train_loss, valid_loss, mAP50; None without training.
        steps: Losses within epochs: epoch, step, steps, train_loss; None without training.
        evaluation: Metrics by test_set and class; rows of single classes are left out.
        epoch: Epoch of the model that was evaluated.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    partial = folder.with_name(f"{folder.name}.partial")
    for broken in partial.glob(EVENT_FILES):
        broken.unlink()
    with closing(EventFileWriter(str(partial))) as writer:
        for tag, value, step in _scalars(history, steps, evaluation, epoch):
            if np.isfinite(value):
                summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
    folder.mkdir(exist_ok=True)
    for old in folder.glob(EVENT_FILES):
        old.unlink()
    for new in partial.glob(EVENT_FILES):
        new.rename(folder / new.name)
    partial.rmdir()


def _scalars(
    history: pd.DataFrame | None,
    steps: pd.DataFrame | None,
    evaluation: pd.DataFrame,
    epoch: int,
) -> Iterator[tuple[str, float, int]]:
    if steps is not None:
        position = steps["epoch"] - 1 + steps["step"] / steps["steps"]
        places = (position * STEPS_PER_EPOCH).round().astype(int)
        for place, loss in zip(places, steps["train_loss"], strict=True):
            yield "train_loss_within_epochs", float(loss), int(place)
    if history is not None:
        for tag in _EPOCH_CURVES:
            values = pd.to_numeric(history[tag])
            for number, value in zip(history["epoch"], values, strict=True):
                yield tag, float(value), int(number)
    whole = evaluation[evaluation["class"] == ""].set_index("test_set").drop(columns="class")
    for test_set, row in whole.iterrows():
        for metric, value in pd.to_numeric(row).items():
            yield f"{test_set}/{metric}", float(value), epoch
