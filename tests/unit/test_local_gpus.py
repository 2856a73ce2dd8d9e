"""The GPUs that `make up` gives to workers."""

import sys
import time
from pathlib import Path

import pytest

from deployments.local.gpus import CHOSEN, gpus
from deployments.local.stack import Stack
from deployments.local.worker import Worker
from tests.e2e.operator import new_stack

LISTED = """#!/bin/sh
echo "GPU 0: A (UUID: GPU-1)"
echo "  MIG 1g.5gb Device 0: (UUID: MIG-2)"
echo "GPU 1: A (UUID: GPU-3)"
echo "GPU 2: A (UUID: GPU-4)"
"""


def workers(stack: Stack) -> dict[str, str]:
    return {worker.name: worker.variables[CHOSEN] for worker in stack.workers}


def test_each_gpu_has_a_worker_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text(LISTED)
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv(CHOSEN, raising=False)
    assert gpus() == ("0", "1", "2")
    monkeypatch.setenv(CHOSEN, "2")
    assert workers(new_stack(tmp_path / "up")) == {"cpu": "", "hours": "", "gpu-0": "2"}


def test_without_any_two_workers_train_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHOSEN, "")
    assert workers(new_stack(tmp_path / "up")) == {
        "cpu": "",
        "hours": "",
        "gpu-0": "",
        "gpu-1": "",
    }


def test_hours_have_slots_of_their_own_and_all_gpus_take_their_work(tmp_path: Path) -> None:
    queues = {worker.name: worker.queues for worker in new_stack(tmp_path / "up").workers}
    assert queues.pop("cpu") == ()
    assert queues.pop("hours") == ("hours",)
    assert queues == {name: ("hours", name, "default") for name in ("gpu-0", "gpu-1")}


def test_a_worker_with_other_queues_than_it_was_started_with_is_outdated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = new_stack(tmp_path / "up")
    worker = stack.workers[-1]
    assert not worker.outdated  # it does not run
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    with monkeypatch.context() as earlier:
        earlier.setattr(Worker, "command", lambda worker: sleeping)
        worker.launch()
        try:
            time.sleep(0.5)  # a process has no command line for a moment
            assert not worker.outdated
            earlier.undo()
            assert worker.outdated
        finally:
            worker.kill()
