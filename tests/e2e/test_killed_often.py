"""A run that is killed again and again, wherever it is, ends as if nothing had been."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.conftest import Place
from tests.e2e.test_damaged_store import tables
from tests.e2e.test_killed import alive, wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.train, pytest.mark.timeout(1800)]

STARTING_S = (0.3, 6.0)
"""When the temporary server starts, seconds after the command does."""


def left_over(place: Place) -> list[Path]:
    return list(place.folder.glob("backhaul-*"))


def run_for(place: Place, seconds: float) -> None:
    """Start the run, and kill it after so many seconds, if it has not ended."""
    run = place.start("run", "tiny.yaml")
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
    wait_until(lambda: not alive(run.pid, place.folder), 30)


def told(place: Place) -> dict[str, Any]:
    """What is told of a run, with checkpoints by their tensors: their files hold dates."""
    found: dict[str, Any] = tables(place)
    for name in ("checkpoints.csv", "current.csv"):
        table = pd.read_csv(io.BytesIO(found[name])).drop(columns=["uri", "sha256"])
        found[name] = table.to_csv()
    run = place.run("tiny")
    prefixes = [path.stem for path in sorted((run.records / "rounds").glob("*.json"))]
    assert len(prefixes) == 1 + 2 * 2, prefixes
    return found | {prefix: run.checkpoint_digests(prefix) for prefix in prefixes}


def kill_often(place: Place, calm: Place, kills: int, longest_s: float) -> None:
    for each in (place, calm):
        each.config("tiny", control=False)
    ended = calm.process("run", "tiny.yaml")
    assert ended.code == 0, ended.err
    rng = np.random.default_rng(kills)
    for number in range(kills):
        moments = STARTING_S if number % 3 == 0 else (STARTING_S[1], longest_s)
        run_for(place, rng.uniform(*moments))
    last = place.start("run", "tiny.yaml")
    assert last.wait(400) == 0, (place.folder / "log").read_text()
    wait_until(lambda: not alive(last.pid, place.folder), 30)
    assert left_over(place) == []
    assert told(place) == told(calm)
    assert "Traceback" not in (place.folder / "log").read_text()


def place_of(new_place: Callable[[str], Place], name: str) -> Place:
    return new_place(name).without_server()


@pytest.mark.slow
def test_eight_kills(new_place: Callable[[str], Place]) -> None:
    place, calm = (place_of(new_place, name) for name in ("eight-kills", "calm"))
    kill_often(place, calm, kills=8, longest_s=14.0)


@pytest.mark.slow
def test_six_kills_of_trainings_by_ultralytics(new_place: Callable[[str], Place]) -> None:
    place, calm = (
        place_of(new_place, name).with_ultralytics() for name in ("trainings", "calm")
    )
    kill_often(place, calm, kills=6, longest_s=30.0)
