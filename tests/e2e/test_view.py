"""What a person sees of a run in a terminal, in lines, and when they stop it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Place
from tests.e2e.terminal import CTRL_C, terminal
from tests.e2e.test_killed import alive, wait_until

pytestmark = pytest.mark.prefect

PATIENCE_S = 300
CONFIG: dict[str, Any] = {
    "name": "seen",
    "seed": 1,
    "data": {"kind": "digits", "images": 40, "size_px": 48},
    "initial": {"images": 16, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": 8, "count": 2, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 4},
    "methods": ["iqr", "true-random"],
    "training": {
        "detector": "slow:SlowDetector",
        "model": "slow",
        "max_epochs": 4,
        "retrain_max_epochs": 2,
        "img_size": 32,
        "device": "cpu",
    },
    "inference": {"conf_check_num": 2},
}
SLOW = """
import time

import numpy as np

from backhaul.learn.protocol import TrainedEpoch


class SlowDetector:
    def train(self, task):
        for epoch in range(task.first_epoch, task.first_epoch + task.epochs):
            time.sleep({seconds})
            weights = task.folder / "weights.pt"
            weights.write_text(str(epoch))
            yield TrainedEpoch(train_loss=1.0, valid_loss=1.0, weights=weights)

    def predict(self, weights, images, class_names, settings):
        for _ in images:
            yield np.array([[8.0, 8.0, 24.0, 24.0, 0.5, 0.0]])
"""


def new_campaign(place: Place, seconds: float) -> None:
    """A campaign whose detector takes that long for an epoch and sees always the same."""
    (place.folder / "seen.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    (place.folder / "slow.py").write_text(SLOW.format(seconds=seconds), encoding="utf-8")


def environment(place: Place) -> dict[str, str]:
    return place.environment() | {"TMPDIR": str(place.folder)}


@pytest.fixture(scope="module")
def watched(new_place: Callable[[str], Place]) -> tuple[Place, str]:
    """A place with a campaign that was run in a terminal, and all that was to be seen."""
    place = new_place("watched")
    new_campaign(place, 0.4)
    with terminal(["run", "seen.yaml"], place.folder, environment(place)) as seen:
        assert seen.end(PATIENCE_S) == 0, seen.text
        return place, seen.text


def test_the_terminal_shows_plan_epochs_and_scores(watched: tuple[Place, str]) -> None:
    _, text = watched
    assert text.startswith("backhaul run seen.yaml\n")
    assert "0 of 7 rounds" in text
    assert "batch 0       batch 1       images" in text
    assert "epoch 3 of 4, loss 1.00" in text
    assert "left\n" in text
    assert "no-new-data" in text
    assert "|" not in text.partition("After the last batch")[0]  # no line of Prefect's log


def test_the_table_stays_on_the_screen(watched: tuple[Place, str]) -> None:
    _, text = watched
    last = text.partition("After the last batch")[2].splitlines()
    assert "report: runs/seen/report.html" in last
    assert "log: .backhaul/runs/seen/log.txt" in last


def test_the_log_has_everything(watched: tuple[Place, str]) -> None:
    log = (watched[0].folder / ".backhaul" / "runs" / "seen" / "log.txt").read_text()
    assert "backhaul run seen.yaml" in log.splitlines()[0]
    assert "epoch 4: loss 1.000" in log
    assert "training-iqr1" in log


def test_plain_lines_are_short_and_name_what_is_cached(watched: tuple[Place, str]) -> None:
    place, _ = watched
    ended = place.backhaul("run", "seen.yaml", "--set", "batches.count=2")
    assert ended.code == 0, ended.err
    lines = ended.err.splitlines()
    assert lines[:2] == [
        "backhaul run seen.yaml --set batches.count=2",
        "log: .backhaul/runs/seen/log.txt",
    ]
    told = [line[10:] for line in lines[2:]]
    assert told[0] == "seen: 3 methods x 2 batches"
    assert any(t.startswith("iqr batch 1: sent 4 of 8 images, ") for t in told)
    for prefix in ("initial model", "iqr batch 0", "iqr batch 1", "true-random batch 1"):
        [ended_so] = [t for t in told if t.startswith(f"{prefix}: mAP50")]
        assert ended_so.endswith(", cached")
    assert max(map(len, lines)) <= 80
    assert "After the last batch" in ended.out


@pytest.mark.parametrize("own_server", [pytest.param(False, marks=pytest.mark.slow), True])
def test_ctrl_c_says_how_to_go_on(new_place: Callable[[str], Place], own_server: bool) -> None:
    place = new_place("stopped")
    place = place if own_server else place.without_server()
    new_campaign(place, 2.0)
    with terminal(["run", "seen.yaml"], place.folder, environment(place)) as seen:
        seen.wait_for("epoch 1 of 4", PATIENCE_S)
        seen.press(CTRL_C)
        assert seen.end(20) == 130
        wait_until(lambda: not alive(seen.process.pid, place.folder), 30)
        last = ["stopped; what was computed is kept", "go on with: backhaul run seen.yaml"]
        assert seen.text.rstrip().splitlines()[-2:] == last
        assert "Traceback" not in seen.text
    if own_server:
        assert states_of("seen") == {"Cancelled"}


def states_of(name: str) -> set[str | None]:
    """The states of the last flow run of that name, and of those it started."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    names = [name, f"initial-training-{name}"]
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=names)),
            sort=FlowRunSort.START_TIME_DESC,
            limit=2,
        )
    assert {run.name for run in runs} == set(names)
    return {run.state.name for run in runs if run.state is not None}


@pytest.mark.alone
def test_the_first_output_comes_within_a_second(tmp_path: Path) -> None:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import typer, rich"], check=True)
    least = time.monotonic() - started
    (tmp_path / "seen.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    started = time.monotonic()
    with terminal(["run", "seen.yaml"], tmp_path, os.environ) as seen:
        seen.wait_for("backhaul run seen.yaml", 30)
        took = time.monotonic() - started
    print(f"first output after {took:.2f} s; typer and rich alone: {least:.2f} s")  # noqa: T201
    assert took < 1.0 + least
