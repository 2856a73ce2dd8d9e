"""All services of production for tests of faults, and what a test does to them and sees."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from deployments.local.service import find_process, is_alive, tell, tree_of
from deployments.local.stack import BUCKET, Stack
from deployments.local.worker import Worker
from tests.e2e.operator import Operator, new_stack
from tests.faulty_proxy import Faults, faulty_proxy
from tests.services import guarded

PATIENCE_S = 600  # on a machine that others use as well
WORKER_S = 2
"""A worker with a limit ends if a run is retried before it has noticed the run's end."""
RUN_ID = "PREFECT__FLOW_RUN_ID"
_LOG = logging.getLogger(__name__)


def wait_for(found: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
    """Return what `found` returns, once that is true."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"it took too long: {what}"
        time.sleep(0.05)
    return value


@dataclass(frozen=True)
class Stored:
    """A file of the store; another `written` tells that it was written once more."""

    size: int
    written: str


@dataclass(frozen=True)
class Place:
    """A store of one's own in the bucket, with one run.

    Args:
        fs: The bucket's file system, which no fault touches.
        prefix: Where the store lies in the bucket.
        name: Name of the run.
    """

    fs: Any
    prefix: str
    name: str

    @property
    def root(self) -> str:
        return f"{BUCKET}/{self.prefix}"

    @property
    def uri(self) -> str:
        return f"s3://{self.root}"

    @property
    def run(self) -> str:
        return f"{self.root}/runs/{self.name}"

    def files(self, *folders: str) -> dict[str, Stored]:
        """All files below folders of ``.backhaul``."""
        return {
            name: Stored(entry["size"], str(entry["LastModified"]))
            for folder in folders
            for name, entry in self._listed(f"{self.root}/.backhaul/{folder}").items()
        }

    def _listed(self, folder: str) -> dict[str, Any]:
        found: dict[str, Any] = self.fs.find(folder, detail=True)
        return {name: e for name, e in found.items() if e["type"] == "file" and e["size"]}

    def finished(self) -> dict[str, Stored]:
        """What is finished: objects, and the results of stages."""
        return self.files("objects", "results")

    def epochs_saved(self) -> int:
        """Epochs of the trainings that are under way, or were cut."""
        states = [name for name in self.files("resume") if name.endswith("/state.json")]
        return sum(len(json.loads(self.fs.cat_file(name))["history"]) for name in states)

    def read(self, path: str) -> bytes:
        data: bytes = self.fs.cat_file(f"{self.run}/{path}")
        return data

    @property
    def json(self) -> Any:
        return json.loads(self.read("run.json"))

    @property
    def summary(self) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(self.read("summary.csv")))

    def output(self) -> dict[str, list[str]]:
        """The lists of images: batches, selections, splits."""
        names = [Path(path).name for path in self._listed(f"{self.run}/output")]
        return {
            name: [Path(line).name for line in self.read(f"output/{name}").decode().split()]
            for name in names
            if name.endswith(".txt")
        }

    def losses(self) -> dict[str, list[float]]:
        """Losses of each training, epoch by epoch."""
        names = [Path(path).name for path in self._listed(f"{self.run}/logs")]
        return {
            name: pd.read_csv(io.BytesIO(self.read(f"logs/{name}")))["train_loss"].tolist()
            for name in names
            if name.endswith("_training.csv")
        }

    def checkpoints(self) -> dict[str, list[str]]:
        """The digests of the checkpoints of each training."""
        made = {}
        for path in self._listed(
            f"{self.root}/.backhaul/runs/{self.run.rpartition('/')[2]}/rounds"
        ):
            training = json.loads(self.fs.cat_file(path))["training"]
            digests = [c["artifact"]["content"] for c in training["checkpoints"]]
            made[Path(path).stem] = digests
        return made

    def resumed(self) -> dict[str, bool]:
        """Whether each training was cut and went on."""
        return {t["method"]: t["resumed"] for t in self.json["trainings"]}

    def require_equal(self, truth: Place) -> None:
        """Splits, selections, trainings and metrics are those of another run."""
        assert self.output() == truth.output()
        assert self.losses() == truth.losses()
        assert self.checkpoints() == truth.checkpoints()
        pd.testing.assert_frame_equal(self.summary, truth.summary)

    def require_whole(self) -> None:
        """All objects are what their names say, and nothing of the work lies about."""
        objects = self.files("objects")
        assert objects
        for name in objects:
            content, path = self.fs.cat_file(name), Path(name)
            if zipfile.is_zipfile(io.BytesIO(content)):  # its name is the digest of its tensors
                with zipfile.ZipFile(io.BytesIO(content)) as parts:
                    assert parts.testzip() is None, name
            else:
                assert hashlib.sha256(content).hexdigest() == path.stem, name
        assert not [name for name in self._listed(self.root) if ".partial" in name]
        assert not self.files("leases", "resume")

    def require_kept(self, before: dict[str, Stored]) -> None:
        """What was finished before was neither written again nor removed."""
        after = self.finished()
        assert before
        assert {name: after.get(name) for name in before} == before


@dataclass
class DiskWorker(Worker):
    """A worker whose local copies may lie on a small disk of its own, gone when it ends.

    Args:
        copies: Where its local copies lie.
        disk_bytes: Size of that disk; None = they lie on the disk of all.
    """

    copies: Path
    disk_bytes: int | None = None

    def own_environment(self) -> dict[str, str]:
        return {**self.variables, "BACKHAUL_CACHE": str(self.copies)}

    def command(self) -> list[str]:
        if self.disk_bytes is None:
            return super().command()
        self.copies.mkdir(parents=True, exist_ok=True)
        rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        mount = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
        disk = ["sh", "-c", mount, "sh", str(self.disk_bytes), str(self.copies)]
        return ["unshare", "--mount", *rights, *disk, *super().command()]

    @property
    def seen_copies(self) -> Path:
        """Its local copies, as it sees them."""
        process = find_process(self.folder)
        assert process is not None
        return Path(f"/proc/{process.pid}/root{self.copies}")


@dataclass(frozen=True)
class FaultyStack(Operator):
    """The services of production, with a store that can fail for the workers.

    Args:
        environment: Has the address of the server and the login.
        stack: The services.
        faults: What goes wrong with the store.
    """

    stack: Stack
    faults: Faults

    def place(self, prefix: str) -> Place:
        return Place(self.stack.seaweedfs.filesystem, prefix, f"run-{prefix}")

    def worker(self, name: str) -> DiskWorker:
        (found,) = (worker for worker in self.stack.workers if worker.name == name)
        assert isinstance(found, DiskWorker)
        return found

    def endings(self, *runs: str) -> list[str]:
        """Return the names of the final states of flow runs, once all are over."""
        states = [self.wait(run, PATIENCE_S) for run in runs]
        for state in states:
            _LOG.warning("%s: %s", state["name"], state["message"])  # seen where a test fails
        return [state["name"] for state in states]

    def retry_ended(self, *runs: str) -> None:
        """Do what `prefect flow-run retry` does, once the processes have ended."""
        for run in runs:
            wait_for(partial(self.is_gone, run), f"processes of {run} end", 30)
        time.sleep(WORKER_S)
        for run in runs:
            self.retry(run)

    def child(self, run: str, name: str) -> str:
        """The id of a run's child, once it is there."""
        found: dict[str, str] = wait_for(lambda: self.children(run).get(name), f"child {name}")
        return found["id"]

    def computed(self, *runs: str) -> list[str]:
        """The tasks that flow runs, and those in them, have not taken from the cache."""
        within = [child["id"] for run in runs for child in self.children(run).values()]
        values = {"flow_runs": {"id": {"any_": [*runs, *within]}}, "limit": 200}
        return [
            task["name"]
            for task in self.post("task_runs/filter", values)
            if task["state_name"] == "Completed"
            and task["state"]["state_details"]["child_flow_run_id"] is None  # a flow of its own
        ]

    def logs(self, run: str) -> list[str]:
        """What a flow run has said."""
        values = {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200}
        return [entry["message"] for entry in self.post("logs/filter", values)]

    def processes(self, run: str) -> list[psutil.Process]:
        """The processes of a flow run, its trainings among them."""
        return [p for p in self._all() if _environment(p).get(RUN_ID) == run]

    def is_gone(self, run: str) -> bool:
        """Whether no process of a flow run is left."""
        return not self.processes(run)

    def flow_process(self, run: str) -> list[psutil.Process]:
        """The processes of a flow run without its trainings."""
        return [p for p in self.processes(run) if not _is_training(p)]

    def trainings(self) -> list[psutil.Process]:
        """The trainings that are under way."""
        return [p for p in self._all() if _is_training(p)]

    def _all(self) -> Iterator[psutil.Process]:
        mine = self.stack.server.environment["PREFECT_API_URL"]
        for process in psutil.process_iter():
            if _environment(process).get("PREFECT_API_URL") == mine and is_alive(process):
                yield process

    def worker_of(self, run: str) -> str:
        """The name of the worker whose process has started that of a flow run."""
        mine = set(self.processes(run))
        (name,) = (
            worker.name
            for worker in self.stack.workers
            if (process := find_process(worker.folder)) and mine & set(tree_of(process))
        )
        return name

    def going_on(self, *runs: str) -> list[str]:
        """What is said to go on in flow runs, and in those below them: flows and tasks."""
        below = [child["id"] for run in runs for child in self.children(run).values()]
        flows = {"id": {"any_": [*runs, *below]}}
        state = {"state": {"type": {"any_": ["PENDING", "RUNNING", "SCHEDULED"]}}}
        found = [
            *self.post("flow_runs/filter", {"flow_runs": {**flows, **state}}),
            *self.post("task_runs/filter", {"flow_runs": flows, "task_runs": state}),
        ]
        return [each["name"] for each in found] + (self.going_on(*below) if below else [])

    def kill_machine(self, name: str) -> None:
        """Kill a worker and all that it has started, at once."""
        self.worker(name).kill()


def kill(processes: list[psutil.Process]) -> None:
    """End processes by SIGKILL."""
    assert processes
    tell(processes, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=30)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        found: dict[str, str] = process.environ()
    except (psutil.Error, OSError):
        return {}
    return found


def _is_training(process: psutil.Process) -> bool:
    try:
        return bool(process.name() == "training")
    except psutil.Error:
        return False


def _behind(address: str, worker: Worker) -> DiskWorker:
    """Return a worker for which the store has another address."""
    settings = {f.name: getattr(worker, f.name) for f in fields(worker) if f.init}
    settings["variables"] = {**worker.variables, "AWS_ENDPOINT_URL_S3": address}
    return DiskWorker(**settings, copies=worker.folder / "copies")


@contextmanager
def faulty_stack(folder: Path, faults: Faults) -> Iterator[FaultyStack]:
    """All services during the block, their workers behind a store that fails as told."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = new_stack(folder)
    with faulty_proxy(stack.seaweedfs.address, faults) as address, guarded(folder):
        stack.workers = [_behind(address, worker) for worker in stack.workers]
        try:
            stack.start(lambda _: nullcontext())
            yield FaultyStack(stack.environment, stack, faults)
        finally:
            for service in reversed(stack.services):
                service.kill()
