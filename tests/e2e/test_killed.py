"""A run that is killed in the middle of a training, and started again."""

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train]

COMMON = ["common", "old_test", "new_test", "mix_test"]


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def epochs_saved(store: Path) -> int:
    states = list((store / ".backhaul" / "resume").glob("*/state.json"))
    return len(json.loads(states[0].read_text())["history"]) if states else 0


def alive(group: int, folder: Path) -> list[str]:
    """Command lines of the processes of a group, or in a folder, that have not ended."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            if state != "Z" and (int(its_group) == group or is_in(process, folder)):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended while we looked, or is somebody else's
    return found


def is_in(process: Path, folder: Path) -> bool:
    return (process / "cwd").readlink() == folder


def has_learned(log: Path) -> bool:
    """Whether the log of a run has an epoch of a training, which is saved before."""
    return log.exists() and "epoch 1: loss" in log.read_text()


@pytest.fixture(scope="module")
def killed(new_place: Callable[[str], Any], empty_database: Path) -> tuple[Any, int]:
    """A place where a run was killed once an epoch was saved, and how many were."""
    place = new_place("killed").with_ultralytics()
    (place.folder / ".backhaul").mkdir()
    shutil.copyfile(empty_database, place.folder / ".backhaul" / "prefect.db")
    place.config("tiny", methods=["true-random"], control=False, batches__count=1)
    run = place.without_server().start("run", "tiny.yaml")
    try:
        log = place.folder / ".backhaul" / "runs" / "tiny" / "log.txt"
        wait_until(lambda: run.poll() is not None or has_learned(log), 300)
        assert run.poll() is None, (place.folder / "log").read_text()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_until(lambda: not alive(run.pid, place.folder), 30)  # no training, no server
    finally:
        with suppress(ProcessLookupError):  # as it should be
            os.killpg(run.pid, signal.SIGKILL)
    return place, epochs_saved(place.folder)


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(
    killed: tuple[Any, int], played: Any
) -> None:
    place, epochs = killed
    assert 1 <= epochs <= 3
    before = [path.name for path in (place.folder / ".backhaul" / "results").iterdir()]
    ended = place.process("run", "tiny.yaml")
    assert ended.code == 0, ended.err
    run = place.run("tiny")

    log = (place.folder / ".backhaul" / "runs" / "tiny" / "log.txt").read_text()
    _, killed_start, this_start = re.split("^=== ", log, flags=re.MULTILINE)
    assert "epoch 1: loss" in killed_start
    assert f"goes on after epoch {epochs}" in this_start
    assert f"epoch {epochs}: loss" not in this_start
    assert [(t["method"], t["resumed"]) for t in run.json["trainings"]] == [
        ("init", True),
        ("true-random", False),
    ]
    assert not list((place.folder / ".backhaul" / "resume").glob("*"))

    done_before = {name.rpartition("-v")[0] for name in before}
    assert {"data", "batches", "split", "augmentation"} <= done_before
    assert run.computed(None) == set()
    assert run.computed("init") == {"training", "inference", "truth", "evaluation"}

    for prefix in ("init", "true-random0"):
        assert run.checkpoint_digests(prefix) == played.run.checkpoint_digests(prefix)
    here, there = (
        table[table["test_set"].isin(COMMON) & table["method"].isin(["init", "true-random"])]
        for table in (run.summary, played.run.summary.query("batch != 1"))
    )
    assert len(here) == 2 + 4
    pd.testing.assert_frame_equal(here.reset_index(drop=True), there.reset_index(drop=True))
    here, there = (
        pd.read_csv(r.folder / "logs" / "init_training.csv").drop(columns="seconds")
        for r in (run, played.run)
    )
    pd.testing.assert_frame_equal(here, there)
