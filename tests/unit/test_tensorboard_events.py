"""Event files, read back by TensorBoard itself."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backhaul.campaign.events import write_events

HISTORY = pd.DataFrame(
    {
        "epoch": [4, 5, 6],
        "train_loss": [3.0, 2.0, 1.0],
        "valid_loss": [None, 2.5, 1.5],
        "mAP50": [None, 0.25, 0.5],
        "seconds": [1.0, 1.0, 1.0],
    }
)
STEPS = pd.DataFrame(
    {
        "epoch": [4, 4, 4, 5],
        "step": [1, 2, 3, 1],
        "steps": [3, 3, 3, 4],
        "train_loss": [3.5, 3.25, 3.0, 2.5],
    }
)
EVALUATION = pd.DataFrame(
    {
        "test_set": ["common", "common", "old_test"],
        "class": ["", "cat", ""],
        "mAP50": [0.5, 0.75, 0.25],
        "prec": [np.nan, 0.5, 1.0],
        "n_images": [8, 4, 4],
    }
)


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_curves_and_metrics_are_read_back(tmp_path: Path) -> None:
    write_events(tmp_path / "iqr0", HISTORY, STEPS, EVALUATION, epoch=6)
    assert read(tmp_path / "iqr0") == {
        "train_loss": [(4, 3.0), (5, 2.0), (6, 1.0)],
        "valid_loss": [(5, 2.5), (6, 1.5)],
        "mAP50": [(5, 0.25), (6, 0.5)],
        "train_loss_within_epochs": [(3333, 3.5), (3667, 3.25), (4000, 3.0), (4250, 2.5)],
        "common/mAP50": [(6, 0.5)],
        "common/n_images": [(6, 8.0)],
        "old_test/mAP50": [(6, 0.25)],
        "old_test/prec": [(6, 1.0)],
        "old_test/n_images": [(6, 4.0)],
    }


def test_a_second_start_leaves_nothing_twice(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "iqr0"
    write_events(folder, HISTORY, None, EVALUATION, epoch=6)
    write_events(folder, HISTORY.iloc[:1], None, EVALUATION, epoch=4)
    assert read(folder)["train_loss"] == [(4, 3.0)]
    assert len(list(folder.iterdir())) == 1
    assert [path.name for path in folder.parent.iterdir()] == ["iqr0"]


@pytest.mark.parametrize("history", [None, HISTORY.iloc[:0]])
def test_a_round_without_training_has_its_metrics(
    tmp_path: Path, history: pd.DataFrame | None
) -> None:
    write_events(tmp_path / "iqr0", history, None, EVALUATION, epoch=3)
    found = read(tmp_path / "iqr0")
    assert found["common/mAP50"] == [(3, 0.5)]
    assert "train_loss" not in found
