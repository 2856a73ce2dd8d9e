"""Nobody starts an hour: labels wake the triggers, these start it, and a form lets it go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from deployments.local.stack import BUCKET, Stack
from tests.e2e.conftest import COMMAND
from tests.e2e.edge import BATCH, CONFIG, Edge
from tests.e2e.operator import DETECTOR_OF_TESTS, Operator, changed
from tests.e2e.stack import wait_for
from tests.services import ROOT

pytestmark = [
    pytest.mark.s3,
    pytest.mark.services,
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.slow,
]

STORE = f"{BUCKET}/alone"
ARM = "true-random"
PAUSE_S = "10"
CHANGES: dict[str, Any] = {
    "execution": "work-pool",
    "methods": [{"kind": ARM}],
    "training": CONFIG["training"],
    "triggers": {"kind": "labelled", "images": BATCH},
    "publish": {"method": ARM},
    "accept": {
        "kind": "gate",
        "compare": {"resamples": 300},
        "min_gain": -0.9,
        "approval": "manual",
    },
}


@pytest.fixture(scope="module")
def edge(shared_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Edge:
    folder = tmp_path_factory.mktemp("alone")
    return Edge.begin(folder / "scenes", STORE, shared_stack.seaweedfs.filesystem)


@pytest.fixture(scope="module")
def operator(shared_stack: Stack, edge: Edge) -> Iterator[Operator]:
    """A person whose deployments have the run's config, and labels wake the triggers soon."""
    config = edge.config("block://store/alone", **CHANGES)
    asked = {"parameters": {"config": config}, **DETECTOR_OF_TESTS}
    changes = {
        **dict.fromkeys(("hourly", "triggers"), asked),
        **dict.fromkeys(("initial-training", "method"), DETECTOR_OF_TESTS),
    }
    with changed(shared_stack, changes):
        make_automations(shared_stack, BACKHAUL_LABELLED_PAUSE_S=PAUSE_S)
        yield Operator(shared_stack.environment)
    make_automations(shared_stack)


def make_automations(stack: Stack, **variables: str) -> None:
    command = [sys.executable, "-m", "deployments.automations"]
    environment = {**os.environ, **stack.environment, **variables}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def tell_labelled(operator: Operator, node: str, times: int) -> None:
    """Say that images of a node were labelled, as annotators' tools do."""
    now = datetime.now(UTC).isoformat()
    resource = {"prefect.resource.id": f"backhaul.node.{node}"}
    event = {"event": "backhaul.labelled", "occurred": now, "resource": resource}
    events = [{"id": str(uuid.uuid4()), **event} for _ in range(times)]
    login = tuple(operator.environment["PREFECT_API_AUTH_STRING"].split(":", 1))
    url = f"{operator.environment['PREFECT_API_URL']}/events"
    httpx.post(url, json=events, auth=(login[0], login[1])).raise_for_status()


def hours(operator: Operator) -> Sequence[dict[str, Any]]:
    """Return the runs of `hourly` that ended, the first one first."""
    asked = {"flows": {"name": {"any_": ["hourly"]}}, "sort": "START_TIME_ASC"}
    found: list[dict[str, Any]] = operator.post("flow_runs/filter", asked)
    of_ours = (run for run in found if run["parameters"]["config"]["store"].endswith("/alone"))
    return [run for run in of_ours if run["end_time"]]


def test_an_hour_starts_waits_for_a_person_and_goes_on(
    operator: Operator, edge: Edge, shared_stack: Stack
) -> None:
    first = operator.run("hourly/hourly")
    assert "no batch is full" in first["message"]
    edge.drop("cam", range(BATCH))
    tell_labelled(operator, "cam", BATCH)
    wait_for(lambda: len(hours(operator)) == 2, "an hour is started, and ends", 300)
    assert hours(operator)[1]["state_name"] == "AwaitingApproval", hours(operator)[1]["state"]
    assert states(shared_stack) == ["champion", "awaits approval"]
    form = {"run": "block://store/alone/runs/edge", "version": 2, "reason": "looks well"}
    decided = operator.run("decide/decide", **form, decision="approve")
    assert "edge@2: accepted by flow run approve-version-2" in decided["message"]
    assert "hourly/hourly was started" in decided["message"]
    wait_for(lambda: len(hours(operator)) == 3, "the next hour ends", 300)
    assert hours(operator)[2]["state_name"] == "Completed", hours(operator)[2]["state"]
    assert states(shared_stack) == ["replaced", "champion"]
    again = operator.run("decide/decide", **form, decision="reject", go_on=None)
    assert again["type"] == "FAILED"
    assert "edge@2" in again["message"]


def states(stack: Stack) -> list[str]:
    """Return what became of each version, the first one first."""
    said = subprocess.run(
        [COMMAND, "models", "list", f"s3://{STORE}/runs/edge", "--json"],
        check=True,
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
    )
    return [each["state"] for each in json.loads(said.stdout)]
