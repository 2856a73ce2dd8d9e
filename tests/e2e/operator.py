"""What an operator does with a Prefect server, for tests: run, wait, look, retry."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployments.local.ports import DEFAULTS, free_port
from deployments.local.stack import Stack
from tests.services import ROOT, guarded


def importing(folder: Path) -> dict[str, Any]:
    """Return what a deployment is given so that its runs import code from a folder, too."""
    return {"job_variables": {"env": {"PYTHONPATH": f"{ROOT}:{folder}"}}}


DETECTOR_OF_TESTS = importing(ROOT / "tests" / "own")
"""What lets a deployment import the detector whose numbers are the same on every machine."""

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def new_stack(folder: Path) -> Stack:
    """Return a stack on ports of its own."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # two workers for GPUs, on any machine
    ports = {service: {n: free_port() for n in names} for service, names in DEFAULTS.items()}
    return Stack(folder, ports)


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Meanwhile all services run; the folder is made for them."""
    folder.mkdir()
    stack = new_stack(folder)
    with guarded(folder):
        try:
            stack.start(lambda said: nullcontext())
            yield stack
        finally:
            for service in reversed(stack.services):
                service.kill()
            data = stack.postgresql.folder.resolve()  # may lie elsewhere
            shutil.rmtree(data, ignore_errors=True)


@dataclass(frozen=True)
class Operator:
    """A person with a login.

    Args:
        environment: Has the address of the server and the login.
    """

    environment: dict[str, str]

    def start(self, deployment: str, **parameters: Any) -> str:
        """Start a run of a deployment, given as flow/name, and return its id."""
        found = self.get(f"deployments/name/{deployment}")
        values = {"parameters": {**found["parameters"], **parameters}}
        return str(self.post(f"deployments/{found['id']}/create_flow_run", values)["id"])

    def state(self, run: str) -> dict[str, Any]:
        """Return the state of a flow run."""
        state: dict[str, Any] = self.get(f"flow_runs/{run}")["state"]
        return state

    def wait(self, run: str, patience_s: float = 180) -> dict[str, Any]:
        """Return the final state of a flow run."""
        deadline = time.monotonic() + patience_s
        while (state := self.state(run))["type"] not in FINAL:
            assert time.monotonic() < deadline, f"after {patience_s} s it is {state}"
            time.sleep(0.5)
        return state

    def run(self, deployment: str, **parameters: Any) -> dict[str, Any]:
        """Run a deployment, and return its final state."""
        return self.wait(self.start(deployment, **parameters))

    def states(self, run: str) -> list[str]:
        """Return the names of all states that a flow run has had, the first one first."""
        found = self.get(f"flow_run_states/?flow_run_id={run}")
        return [state["name"] for state in sorted(found, key=lambda state: state["timestamp"])]

    def children(self, run: str) -> dict[str, dict[str, Any]]:
        """Return the runs that a flow run started, by name."""
        below = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
        return {child["name"]: child for child in self.post("flow_runs/filter", below)}

    def retry(self, run: str) -> None:
        """Do what the button Retry does."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        self.post(f"flow_runs/{run}/set_state", {"state": state, "force": True})

    def cancel(self, run: str) -> None:
        """Do what the button Cancel does."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self.post(f"flow_runs/{run}/set_state", {"state": state, "force": True})

    def crash(self, run: str) -> None:
        """Do what the automation does that finds no heartbeats."""
        state = {"type": "CRASHED", "name": "Crashed"}
        self.post(f"flow_runs/{run}/set_state", {"state": state, "force": True})

    def everything(self, path: str) -> list[Any]:
        """Return all that the server has at a path."""
        found: list[Any] = []
        while len(page := self.post(f"{path}/filter", {"offset": len(found)})):
            found += page
        return found

    def get(self, path: str) -> Any:
        """Return what lies at a path of the API."""
        return self._answer("GET", path)

    def post(self, path: str, values: dict[str, Any]) -> Any:
        """Send values to a path of the API, and return its answer."""
        return self._answer("POST", path, json=values)

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        login = tuple(self.environment["PREFECT_API_AUTH_STRING"].split(":", 1))
        url = f"{self.environment['PREFECT_API_URL']}/{path}"
        answer = httpx.request(method, url, auth=login, timeout=30, **content)  # type: ignore[arg-type]
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def changed(stack: Stack, changes: Mapping[str, dict[str, Any]]) -> Iterator[None]:
    """Meanwhile, deployments of a stack have other values, by their names."""
    before = {name: _change(stack, name, values) for name, values in changes.items()}
    try:
        yield
    finally:
        for name, values in before.items():
            _change(stack, name, values)


def _change(stack: Stack, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Change a deployment; return what it had in place of the values."""
    operator = Operator(stack.environment)
    login = tuple(stack.environment["PREFECT_API_AUTH_STRING"].split(":", 1))
    found = operator.get(f"deployments/name/{name}/{name}")
    url = f"{stack.environment['PREFECT_API_URL']}/deployments/{found['id']}"
    httpx.patch(url, json=values, auth=(login[0], login[1])).raise_for_status()
    return {key: found[key] for key in values}
