"""Hours on workers with S3, what they cost, and that no key is ever to be found."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from deployments.local.service import tree_of
from deployments.local.stack import BUCKET, Stack
from deployments.local.worker import Worker
from tests.e2e.conftest import FIXED
from tests.e2e.edge import BATCH, CONFIG, Edge
from tests.e2e.operator import DETECTOR_OF_TESTS, Operator, changed

pytestmark = [pytest.mark.s3, pytest.mark.services, pytest.mark.prefect, pytest.mark.train]

STORE = f"{BUCKET}/site"
ADDRESS = f"s3://{STORE}"
LABEL = "true-random"
METHODS = [{"kind": LABEL}]
"""It sends all that it may, whatever a detector sees."""


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """Meanwhile, deployments import the detector of the tests."""
    deployments = ("hourly", "initial-training", "method")
    with changed(shared_stack, dict.fromkeys(deployments, DETECTOR_OF_TESTS)):
        yield shared_stack


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Operator:
    return Operator(stack.environment)


@pytest.fixture(scope="module")
def edge(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Edge:
    scenes = tmp_path_factory.mktemp("scenes")
    return Edge.begin(scenes, STORE, stack.seaweedfs.filesystem)


@pytest.fixture(scope="module")
def config(edge: Edge) -> dict[str, Any]:
    """Hours whose store is the block of the stack, with its keys.

    An epoch takes so long that a test can meet a training.
    """
    detector = {"use": FIXED["detector"], "params": {"epoch_s": 3}}
    training = {**CONFIG["training"], "detector": detector}
    return edge.config(
        "block://store/site", execution="work-pool", training=training, methods=METHODS
    )


class Run:
    """The run in the bucket."""

    def __init__(self, edge: Edge) -> None:
        self.fs, self.folder = edge.fs, f"{STORE}/runs/edge"

    def read(self, name: str) -> bytes:
        data: bytes = self.fs.cat_file(f"{self.folder}/{name}")
        return data

    @property
    def state(self) -> Any:
        state: bytes = self.fs.cat_file(f"{STORE}/.backhaul/runs/edge/state.json")
        return json.loads(state)

    @property
    def played(self) -> list[int]:
        summary = pd.read_csv(io.BytesIO(self.read("summary.csv")))
        return [int(n) for n in summary[summary["test_set"] == "common"]["batch"].dropna()]

    def sent(self, number: int) -> bytes:
        [file] = self.fs.glob(f"{self.folder}/output/{LABEL}{number}_sample_*.txt")
        data: bytes = self.fs.cat_file(file)
        return data

    def files(self) -> dict[str, str]:
        """The digests of all that lies in the store, but for leases and the log of starts."""
        found = self.fs.find(STORE, detail=True)
        return {
            name: entry["ETag"]
            for name, entry in found.items()
            if "/leases/" not in name and not name.endswith("/log.txt")
        }


def wait_for_training(stack: Stack, patience_s: float = 120) -> Worker:
    """Return the worker whose flow run has started a training."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        for worker in stack.workers:
            for each in tree_of(worker_process(worker.folder)):
                try:
                    command = " ".join(each.cmdline())
                except psutil.Error:
                    continue
                if "backhaul.learn.training.own_trainer" in command:
                    return worker
        time.sleep(0.1)
    pytest.fail(f"no training within {patience_s} s")


def worker_process(folder: Path) -> psutil.Process:
    from deployments.local.service import find_process

    process = find_process(folder)
    assert process is not None
    return process


def test_three_hours(stack: Stack, operator: Operator, edge: Edge, config: Any) -> None:
    run = Run(edge)
    edge.drop("cam1", range(BATCH + 2))
    first = operator.run("hourly/hourly", config=config)
    assert first["name"] == "Completed", first
    assert run.played == [0]
    sent = run.sent(0)

    before = run.files()
    again = operator.run("hourly/hourly", config=config)
    assert "nothing to play" in again["message"]
    assert run.files() == before

    # The second hour never comes: the third has its images as well, and some twice.
    edge.drop("cam1", range(BATCH + 2, 2 * BATCH))
    edge.drop("cam2", range(2 * BATCH, 3 * BATCH))
    edge.drop("cam1", range(3))
    third = operator.start("hourly/hourly", config=config)
    wait_for_training(stack).kill()  # with all that it started
    [child] = operator.children(third).values()
    assert operator.state(child["id"])["type"] == "RUNNING"  # nobody is left to say more
    operator.crash(child["id"])
    ended = operator.wait(third, 400)  # the other worker takes the method after a while
    assert ended["name"] == "Completed", ended
    assert operator.get(f"flow_runs/{child['id']}")["run_count"] == 2
    assert run.played == [0, 1, 2]
    stack.start(lambda said: nullcontext())  # systemd does that

    fourth = operator.run("hourly/hourly", config=config)
    assert "nothing to play" in fourth["message"]
    assert run.state["batches"] == {}
    assert run.sent(0) == sent
    images = [line for number in range(3) for line in run.sent(number).splitlines()]
    assert len(images) == len(set(images)) == 3 * CONFIG["bandwidth"]["images"]
    assert len(edge.fs.find(f"{STORE}/ingested/duplicates")) == 3
    assert not [name for name in edge.fs.find(f"{STORE}/inbox") if name.endswith(".png")]


def test_keys_are_nowhere(stack: Stack, operator: Operator, edge: Edge) -> None:
    secrets = [path.read_text() for path in (stack.folder / "secrets").iterdir()]
    keys = [secret.rpartition(":")[2].strip().encode() for secret in secrets]
    assert len(keys) == 3
    assert all(len(key) > 20 for key in keys)
    looked_at: dict[str, bytes] = {}
    for path in ("flow_runs", "task_runs", "logs", "artifacts", "deployments", "work_pools",
                 "block_documents", "variables"):  # fmt: skip
        looked_at[f"API {path}"] = json.dumps(operator.everything(path)).encode()
    events = operator.post("events/filter", {"limit": 50})
    looked_at["API events"] = json.dumps(events).encode()
    for log in [*stack.folder.glob("*/log"), *stack.folder.glob("*.log")]:
        looked_at[str(log)] = log.read_bytes()
    looked_at |= edge.fs.cat(edge.fs.find(STORE))
    assert len(looked_at["API logs"]) > 1000
    assert any(name.endswith("run.json") for name in looked_at)
    found = [name for name, data in looked_at.items() if any(key in data for key in keys)]
    assert not found
