"""What Prefect, leases and the store cost around stages that do next to nothing.

The detector is `benchmarks.idle.IdleDetector`, and every method may send its whole batch. So
most methods come to the same keys: of 13 methods the first one trains and looks, in processes
and files as ever but without a network to run, and the others find nearly all in the cache.
Sampling, labelling and splits are run by each of them.

What is measured:

- A stage that stores one number, 40 times run and 40 times cached, on PostgreSQL and S3: all
  between its call and its return, its lease included. Beside it, in turns, the peer: a cached
  task of Prefect alone that does as little, with its result in a local file.
- Fan-outs of 13 methods x 2 batches, from the end of the initial training to the end of the
  last method, with all that belongs to a round (records, files, pictures): local ones on the
  temporary SQLite server and on PostgreSQL. And one of 4 methods through the work pool on S3,
  in which each method has a process of its own, two at a time.

How long a machine takes says nothing, so every bound is a ratio: to the peer, and for the work
pool to the imports of a method's flow, of which each of its processes makes its own.

The figures are printed: ``pytest -rP`` shows them.
"""

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.local.registration import ROOT
from deployments.local.stack import BUCKET, Stack
from tests.e2e.operator import Operator, running_stack

pytestmark = [pytest.mark.alone, pytest.mark.s3, pytest.mark.services, pytest.mark.prefect]

COMMAND = str(Path(sysconfig.get_path("scripts")) / "backhaul")
STAGE, CACHED = 11, 9
"""Most seconds of a stage that is run or cached, over those of the peer."""
FAN_OUT = 20
"""Most seconds of a fan-out here for each stage, over those of a peer that is run."""
POOL = 5
"""Most seconds of the work pool for each method, over those of the imports of its process."""
LOCKED = "database is locked"
SEVERAL = 40
BATCH = 8

METHODS: list[dict[str, Any]] = [
    *(
        {"kind": kind}
        for kind in (
            *("random", "true-random", "median-thresh", "median-below-thresh", "mid-thresh"),
            *("mid-below-thresh", "iqr", "normal", "mid-normal", "bin-quintile", "bin-normal"),
        )
    ),
    {"kind": "in-range", "low": 0.2, "high": 0.9},
    {"kind": "bin", "n_bins": 4},
]

CONFIG: dict[str, Any] = {
    "seed": 1,
    "control": False,
    "data": {"kind": "digits", "images": 40, "size_px": 48},
    "initial": {"images": 16, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": BATCH, "count": 2, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": BATCH},
    "methods": METHODS,
    "training": {
        "detector": "benchmarks.idle:IdleDetector",
        "model": "idle",
        "max_epochs": 2,
        "retrain_max_epochs": 1,
        "img_size": 32,
        "device": "cpu",
    },
    "inference": {"conf_check_num": 2},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("overhead") / "up") as stack:
        yield stack


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Operator:
    return Operator(stack.environment)


@dataclass(frozen=True)
class FanOut:
    """What was measured of a campaign.

    Args:
        methods: How many methods there were.
        seconds: From the end of the initial training to the end of the last method.
        run: Stages of methods that were run.
        cached: Stages of methods that came from the cache.
    """

    methods: int
    seconds: float
    run: int
    cached: int

    @classmethod
    def of(cls, times: Mapping[str, tuple[str, str]], record: Any) -> "FanOut":
        """From start and end of the flow runs of a campaign, by name, and from ``run.json``."""
        ends = {name: datetime.fromisoformat(end) for name, (_, end) in times.items()}
        begun = ends.pop(f"initial-training-{record['name']}")
        assert len(ends) == len(record["methods"])
        assert {method["state"] for method in record["methods"].values()} == {"completed"}
        stages = [t["cached"] for t in record["timings"] if t["method"] not in (None, "init")]
        seconds = (max(ends.values()) - begun).total_seconds()
        return cls(len(ends), seconds, stages.count(False), sum(stages))

    @property
    def a_stage(self) -> float:
        """Seconds for each stage that was run or cached."""
        return self.seconds / (self.run + self.cached)

    def show(self, what: str) -> None:
        print(  # noqa: T201 - pytest shows it
            f"{what}: {self.seconds:.1f} s for {self.methods} methods x 2 batches, "
            f"{self.run} stages run and {self.cached} cached, "
            f"{1000 * self.a_stage:.0f} ms a stage"
        )


def run_here(folder: Path, name: str, variables: Mapping[str, str]) -> str:
    """Run the campaign in a process of this machine, and return all that it said."""
    config = folder / f"{name}.yaml"
    config.write_text(yaml.safe_dump({**CONFIG, "name": name}))
    done = started([COMMAND, "run", str(config)], folder, variables)
    assert done.returncode == 0, done.stderr
    log = folder / ".backhaul" / "runs" / name / "log.txt"
    return done.stdout + done.stderr + log.read_text()


def started(
    command: Sequence[str], folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command that finds `benchmarks`, with these settings of Prefect and S3 alone."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "AWS_"))}
    mine |= {"PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        command, cwd=folder, env=mine, capture_output=True, text=True, check=False
    )


def children(operator: Operator, name: str) -> dict[str, tuple[str, str]]:
    """Return start and end of the flow runs that the campaign of that name started."""
    named = {"flow_runs": {"name": {"any_": [name]}}}
    [parent] = operator.post("flow_runs/filter", named)
    found = operator.children(parent["id"]).values()
    return {run["name"]: (run["start_time"], run["end_time"]) for run in found}


@pytest.fixture(scope="module")
def stages(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """Seconds of stages and of their peers, run and cached, by name."""
    command = [sys.executable, "-m", "benchmarks.idle", f"s3://{BUCKET}/stages", str(SEVERAL)]
    done = started(command, tmp_path_factory.mktemp("stages"), stack.environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def peer(stages: dict[str, list[float]]) -> float:
    """Seconds of a task of Prefect alone that is run."""
    return statistics.median(stages["plain run"])


def test_a_stage_on_postgresql(stages: dict[str, list[float]]) -> None:
    ratios = {}
    for name in ("run", "cached"):
        seconds = stages[name]
        assert len(seconds) == len(stages[f"plain {name}"]) == SEVERAL
        median, late = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        ratios[name] = median / statistics.median(stages[f"plain {name}"])
        print(  # noqa: T201 - pytest shows it
            f"a stage {name}: {1000 * median:.0f} ms, 95 % within {1000 * late:.0f} ms, "
            f"{ratios[name]:.1f} times a task of Prefect alone"
        )
    assert ratios["run"] < STAGE
    assert ratios["cached"] < CACHED


def test_here_on_the_temporary_server(peer: float, tmp_path: Path) -> None:
    said = run_here(tmp_path, "sqlite", {})
    with closing(sqlite3.connect(tmp_path / ".backhaul" / "prefect.db")) as database:
        rows = database.execute(
            "select name, start_time, end_time from flow_run where name like 'sqlite-%' "
            "or name like 'initial-training-%'"
        ).fetchall()
    record = json.loads((tmp_path / "runs" / "sqlite" / "run.json").read_text())
    found = FanOut.of({name: (start, end) for name, start, end in rows}, record)
    found.show("here, SQLite")
    assert found.a_stage < FAN_OUT * peer
    assert LOCKED not in said


def test_here_on_postgresql(
    stack: Stack, operator: Operator, peer: float, tmp_path: Path
) -> None:
    said = run_here(tmp_path, "postgres", stack.environment)
    record = json.loads((tmp_path / "runs" / "postgres" / "run.json").read_text())
    found = FanOut.of(children(operator, "postgres"), record)
    found.show("here, PostgreSQL")
    assert found.a_stage < FAN_OUT * peer
    assert LOCKED not in said + (stack.server.folder / "log").read_text()


def test_through_the_work_pool(stack: Stack, operator: Operator) -> None:
    pool = {"store": "block://store/pool", "execution": "work-pool", "methods": METHODS[:4]}
    config = {**CONFIG, "name": "pool", **pool}
    started = operator.start("campaign/campaign", config=config)
    assert operator.wait(started, patience_s=400)["name"] == "Completed"
    fs = stack.seaweedfs.filesystem
    record = json.loads(fs.cat_file(f"{BUCKET}/pool/runs/pool/run.json"))
    found = FanOut.of(children(operator, "pool"), record)
    found.show("through the work pool")
    imports = seconds_of_imports()
    print(f"imports of a method's flow: {imports:.1f} s")  # noqa: T201 - pytest shows it
    assert found.seconds / found.methods < POOL * imports


def seconds_of_imports() -> float:
    """Return how long a new process takes to import the flow of a method."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import flows.method"], cwd=ROOT, check=True)
    return time.perf_counter() - begun
