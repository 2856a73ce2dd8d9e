"""Automations on a real server: zombies, triggers that new labels wake, alarms."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client

from backhaul.layout import RunFiles
from backhaul.registry.log import Entry, append
from backhaul.registrylayout import RegistryFiles
from deployments.automations import (
    EARLIER_LABELS,
    LABELS,
    crash_stuck,
    crash_zombies,
    ensure,
    wake_on_labels,
)
from deployments.local.prefect_server import PrefectServer
from flows.server.models import tell_models
from flows.server.operation import (
    ALARM,
    LABELLED,
    MODELS,
    NODES,
    PROBLEM,
    STUCK,
    WELL,
    ZOMBIES,
)
from tests.services import ROOT, asking

pytestmark = [pytest.mark.prefect, pytest.mark.services]

DYING = """
import os, signal, sys, time
from prefect import flow

@flow
def dying():
    time.sleep(3)  # its first heartbeat goes out
    os.kill(os.getpid(), signal.SIGKILL)

dying()
"""


@pytest.fixture(scope="module")
def client(prefect_on_postgres: PrefectServer) -> Iterator[SyncPrefectClient]:
    login = prefect_on_postgres.environment["PREFECT_API_AUTH_STRING"]
    with (
        asking(prefect_on_postgres.api_url, login),
        get_client(sync_client=True) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def triggers(client: SyncPrefectClient) -> UUID:
    """A deployment that no worker serves: its runs stay scheduled."""
    flow_id = client.create_flow_from_name("triggers")
    return client.create_deployment(flow_id=flow_id, name="triggers")


@pytest.fixture
def make(
    client: SyncPrefectClient, triggers: UUID, prefect_on_postgres: PrefectServer
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs the command of `make automations`; no automation is left."""

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deployments.automations"],
            cwd=ROOT,
            env={**os.environ, **prefect_on_postgres.environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    yield run
    for automation in client.read_automations():
        client.delete_automation(automation.id)


@pytest.fixture
def messages() -> Iterator[tuple[str, list[Any]]]:
    """A web hook: its address, and what it received."""
    received: list[Any] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            received.append(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/alarms", received
        server.shutdown()
        thread.join()


def until(reached: Callable[[], Any], patience_s: float = 40) -> Any:
    """Return the first true value."""
    deadline = time.monotonic() + patience_s
    while not (value := reached()):
        assert time.monotonic() < deadline, f"not within {patience_s} s"
        time.sleep(0.3)
    return value


def a_run(server: PrefectServer, flow: str) -> str:
    """A running flow run, as the server knows it."""
    flow_id = post(server, "flows/", {"name": flow})["id"]
    state = {"type": "RUNNING", "name": "Running"}
    run = {"flow_id": flow_id, "name": f"a {flow}", "state": state}
    return str(post(server, "flow_runs/", run)["id"])


def post(server: PrefectServer, path: str, content: Any) -> Any:
    name, _, password = server.environment["PREFECT_API_AUTH_STRING"].partition(":")
    answer = httpx.post(f"{server.api_url}/{path}", json=content, auth=(name, password))
    answer.raise_for_status()
    return answer.json() if answer.content else None


def end(server: PrefectServer, run: str, kind: str, name: str) -> None:
    state = {"type": kind, "name": name, "message": f"{name}, as a test wants it"}
    post(server, f"flow_runs/{run}/set_state", {"state": state, "force": True})


def emit(
    server: PrefectServer,
    event: str,
    resource: str,
    n: int = 1,
    payload: Mapping[str, str] | None = None,
) -> None:
    now = datetime.now(UTC).isoformat()  # the same for all, as the server takes two at a time
    events = [
        {
            "id": str(uuid4()),
            "event": event,
            "occurred": now,
            "resource": {
                "prefect.resource.id": resource,
                "prefect.resource.name": resource.rpartition(".")[2],
            },
            "payload": payload or {},
        }
        for _ in range(n)
    ]
    post(server, "events", events)


def test_repeating_the_command_changes_nothing(
    make: Any, client: SyncPrefectClient, triggers: UUID
) -> None:
    first = make()
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [
        f"{name}: created" for name in (ZOMBIES, STUCK, LABELS)
    ]
    ids = {a.name: a.id for a in client.read_automations()}
    client.pause_automation(ids[ZOMBIES])

    same = [f"{name}: unchanged" for name in (ZOMBIES, STUCK)]
    assert make().stdout.splitlines() == [*same, f"{LABELS}: unchanged"]
    assert make(BACKHAUL_LABELLED_PAUSE_S="70").stdout.splitlines() == [
        *same,
        f"{LABELS}: updated",
    ]

    now = {a.name: a for a in client.read_automations()}
    assert {name: a.id for name, a in now.items()} == ids
    assert not now[ZOMBIES].enabled
    assert make(BACKHAUL_LABELLED_PAUSE_S="0").stdout.splitlines()[-1] == f"{LABELS}: removed"
    assert {a.name for a in client.read_automations()} == {ZOMBIES, STUCK}


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BACKHAUL_LABELLED_PAUSE_S", "9", "expected at least 10 seconds, or 0"),
        ("BACKHAUL_LABELLED_PAUSE_S", "soon", "expected at least 10 seconds, or 0"),
        ("BACKHAUL_LABELLED_RUNS", "hourly/daily", "no deployment hourly/daily"),
        ("BACKHAUL_ALARM_BLOCK", "slack-webhook/none", "no block slack-webhook/none"),
        ("PREFECT_API_URL", "http://127.0.0.1:9/api", "127.0.0.1:9"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    make: Any, variable: str, value: str, said: str
) -> None:
    done = make(**{variable: value, "PREFECT_CLIENT_MAX_RETRIES": "0"})
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def ended_after_a_beat(server: PrefectServer, kind: str, name: str) -> str:
    """A run that gave a sign of life and ended at once: not late on a busy machine either."""
    run = a_run(server, "method")
    emit(server, "prefect.flow-run.heartbeat", f"prefect.flow-run.{run}")
    end(server, run, kind, name)
    return run


def test_a_run_that_falls_silent_is_crashed_and_no_other(
    make: Any, client: SyncPrefectClient, prefect_on_postgres: PrefectServer
) -> None:
    server = prefect_on_postgres
    ensure(client, crash_zombies(timedelta(seconds=10)))
    time.sleep(2)  # the server takes it up
    ended = {
        name: ended_after_a_beat(server, kind, name)
        for name, kind in (
            ("CompletedWithFailures", "FAILED"),
            ("AwaitingLabels", "COMPLETED"),
            ("AwaitingRetry", "SCHEDULED"),
        )
    }
    killed = subprocess.run(
        [sys.executable, "-c", DYING],
        env={**os.environ, **server.environment, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr

    beating = a_run(server, "method")

    def crashed() -> set[str]:
        emit(server, "prefect.flow-run.heartbeat", f"prefect.flow-run.{beating}")
        found = post(server, "flow_runs/filter", {})
        return {run["name"] for run in found if run["state_type"] == "CRASHED"}

    zombies = until(crashed)
    found = post(server, "flow_runs/filter", {})
    assert [run["state"]["message"] for run in found if run["name"] in zombies] == [
        "no heartbeat for 10 s"
    ]
    names = {run["id"]: run["state_name"] for run in found}
    assert names[beating] == "Running"
    assert {name: names[run] for name, run in ended.items()} == {n: n for n in ended}


def test_a_run_that_does_not_begin_is_crashed_and_no_other(
    make: Any, client: SyncPrefectClient, prefect_on_postgres: PrefectServer
) -> None:
    server = prefect_on_postgres
    ensure(client, crash_stuck(timedelta(seconds=10)))
    time.sleep(2)  # the server takes it up
    stuck, begun, waiting = (a_run(server, "stuck") for _ in range(3))
    for run in (stuck, begun, waiting):
        end(server, run, "PENDING", "Pending")
    end(server, begun, "RUNNING", "Running")
    end(server, waiting, "SCHEDULED", "AwaitingRetry")

    def state(run: str) -> Any:
        return client.read_flow_run(UUID(run)).state

    until(lambda: state(stuck).name == "Stuck")
    assert state(stuck).is_crashed()
    assert state(stuck).message == "Pending for 10 s"
    assert [state(run).name for run in (begun, waiting)] == ["Running", "AwaitingRetry"]


def test_what_counted_labels_before_is_replaced(
    make: Any, client: SyncPrefectClient, triggers: UUID
) -> None:
    earlier = wake_on_labels(triggers, timedelta(seconds=90))
    client.create_automation(earlier.model_copy(update={"name": EARLIER_LABELS}))
    *_, created, removed, advice = make(BACKHAUL_LABELLED="50").stdout.splitlines()
    assert (created, removed) == (f"{LABELS}: created", f"{EARLIER_LABELS}: removed")
    assert "BACKHAUL_LABELLED counts no labels any more" in advice
    assert make(BACKHAUL_LABELLED="0").stdout.splitlines()[-1] == f"{LABELS}: removed"


@pytest.mark.slow
def test_labels_wake_the_triggers_once_they_pause(
    make: Any, client: SyncPrefectClient, triggers: UUID, prefect_on_postgres: PrefectServer
) -> None:
    assert make(BACKHAUL_LABELLED_PAUSE_S="10").returncode == 0
    time.sleep(2)

    def runs() -> int:
        chosen = {"deployments": {"id": {"any_": [str(triggers)]}}}
        return len(post(prefect_on_postgres, "flow_runs/filter", chosen))

    time.sleep(25)
    assert runs() == 0  # nobody has labelled anything
    emit(prefect_on_postgres, LABELLED, "backhaul.node.cam-1", 4)
    time.sleep(6)
    emit(prefect_on_postgres, LABELLED, "backhaul.node.cam-2", 3)
    time.sleep(6)
    assert runs() == 0  # somebody is labelling
    until(lambda: runs() == 1)
    time.sleep(25)
    assert runs() == 1  # once for all of them


def save_block(address: str) -> None:
    content = {"title": "{{subject}}", "text": "{{body}}"}
    block = CustomWebhookNotificationBlock(name="alarms", url=address, json_data=content)
    block.save("alarms", overwrite=True)


def test_problems_of_nodes_raise_an_alarm(
    make: Any, messages: tuple[str, list[Any]], prefect_on_postgres: PrefectServer
) -> None:
    address, received = messages
    save_block(address)
    done = make(BACKHAUL_ALARM_BLOCK="custom-webhook/alarms")
    assert f"{NODES}: created" in done.stdout.splitlines(), done.stderr
    time.sleep(2)
    told = {"kind": "disk", "text": "little disk: 3 MB free"}
    emit(prefect_on_postgres, LABELLED, "backhaul.node.cam-1")
    emit(prefect_on_postgres, PROBLEM, "backhaul.node.cam-1", payload=told)
    until(lambda: len(received) >= 1)
    emit(prefect_on_postgres, WELL, "backhaul.node.cam-1", payload=told)
    until(lambda: len(received) >= 2)
    assert [message["text"].splitlines() for message in received] == [
        ["cam-1: little disk: 3 MB free", "It has begun."],
        ["cam-1: little disk: 3 MB free", "It is over."],
    ]


def test_a_version_that_waits_for_a_person_or_was_taken_back_raises_an_alarm(
    make: Any,
    messages: tuple[str, list[Any]],
    prefect_on_postgres: PrefectServer,
    tmp_path: Path,
) -> None:
    address, received = messages
    save_block(address)
    done = make(BACKHAUL_ALARM_BLOCK="custom-webhook/alarms")
    assert f"{MODELS}: created" in done.stdout.splitlines(), done.stderr
    time.sleep(2)
    files = RegistryFiles(RunFiles(str(tmp_path), "cars"))
    for kind in ("candidate", "accepted", "canary", "rolled-back", "candidate", "awaiting"):
        entry = Entry(kind=kind, version=1 + (kind == "awaiting"), reason="as it went")
        append(files, lambda _, entry=entry: entry)  # type: ignore[misc]
    tell_models(files.run, 2)
    until(lambda: len(received) >= 2)
    time.sleep(2)
    back, waits = sorted(message["text"] for message in received)
    assert back == "cars@1: rolled-back: as it went"
    assert waits.startswith("cars@2: awaiting: as it went; decide by: backhaul models approve")


def test_failures_raise_an_alarm(
    make: Any, messages: tuple[str, list[Any]], prefect_on_postgres: PrefectServer
) -> None:
    address, received = messages
    server = prefect_on_postgres
    save_block(address)
    done = make(BACKHAUL_ALARM_BLOCK="custom-webhook/alarms")
    assert done.stdout.splitlines()[-1] == f"{ALARM}: created", done.stderr
    time.sleep(2)

    end(server, a_run(server, "campaign"), "COMPLETED", "Completed")
    end(server, a_run(server, "method"), "FAILED", "Failed")  # its campaign tells
    failures = a_run(server, "campaign")
    end(server, failures, "FAILED", "CompletedWithFailures")
    end(server, a_run(server, "hourly"), "CRASHED", "Crashed")
    end(server, a_run(server, "analyze"), "CRASHED", "Stuck")

    until(lambda: len(received) >= 3)
    time.sleep(2)
    assert {message["title"] for message in received} == {"Backhaul"}
    stuck, one, other = sorted(message["text"] for message in received)
    assert one.splitlines()[:2] == [
        "a campaign: CompletedWithFailures",
        "CompletedWithFailures, as a test wants it",
    ]
    assert failures in one
    assert stuck.startswith("a analyze: Stuck\n")
    assert other.startswith("a hourly: Crashed\n")
