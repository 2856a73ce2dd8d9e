"""The flow that watches nodes: events, the table, rollouts and signatures, on a real server."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State

import flows.fleet
from backhaul.campaign.steps import Steps
from backhaul.fleet import alarms
from backhaul.fleet.alarms import News
from backhaul.fleet.watching import Watch
from backhaul.nodelayout import problems_place, windows_entry
from backhaul.publication import rollouts
from backhaul.storage.conditional import read_or_none
from flows.server import fleet as server
from tests.agents import put_window
from tests.e2e.test_fleet import backhaul
from tests.nodes import Store
from tests.publishing import Publisher
from tests.tinymodels import tiny_model

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[News]:
    """What was told; the server takes it, too."""
    every: list[News] = []

    def noted(new: News) -> None:
        server.tell(new)
        every.append(new)

    monkeypatch.setattr("flows.fleet.tell", noted)
    monkeypatch.setattr(server, "is_temporary", lambda: False)  # somebody looks at it
    monkeypatch.setattr(alarms, "OVER_S", 0.0)
    return every


def say(root: Path, node: str, **changes: Any) -> None:
    status = {"node": node, "time_s": time.time(), "disk_free_bytes": 10**10, "group": "all"}
    place = root / "nodes" / node / "status.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(status | changes))


def look(root: Path, **parameters: Any) -> State[Any]:
    state: State[Any] = flows.fleet.fleet(str(root), **parameters, return_state=True)
    assert state.is_completed(), state.message
    return state


def test_a_problem_is_told_as_it_begins_and_as_it_ends(
    tmp_path: Path, told: list[News]
) -> None:
    store = Store(str(tmp_path))
    put_window(store, "cam-a", 1, began_s=0.0, up_bytes=10**9)
    store.ingest()
    say(tmp_path, "cam-a")
    say(tmp_path, "cam-b", source="the camera is stuck: all frames are equal")
    watch = Watch(day_bytes=10**6)
    assert look(tmp_path, watch=watch).message == "2 nodes, 2 problems, 2 new"
    assert look(tmp_path, watch=watch).message == "2 nodes, 2 problems, 0 new"
    [new] = told
    assert [(each.subject, each.kind) for each in new.begun] == [
        ("cam-a", "budget"),
        ("cam-b", "camera"),
    ]
    printed = backhaul("--store", str(tmp_path), "--problems")
    assert printed.stdout == "cam-b: the camera is stuck: all frames are equal\n"

    say(tmp_path, "cam-b")
    look(tmp_path, watch=watch)
    assert [each.subject for each in told[-1].over] == ["cam-b"]
    with get_client(sync_client=True) as client:
        shown = client.request("GET", "/artifacts/fleet/latest").json()  # type: ignore[arg-type]
    assert [row["node"] for row in json.loads(shown["data"])] == ["cam-a", "cam-b"]
    assert shown["description"] == "2 nodes, 1 with problems"


def test_rollouts_go_on_and_what_is_due_is_signed(
    tmp_path: Path, told: list[News], caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(tmp_path / "home")
    publisher.put(tiny_model(0.6))
    say(publisher.root, "cam-a")
    steps = Steps(cohorts=(0.99, 1.0), soak_s=0, most_failed=0)
    plan = rollouts.begin(publisher.repository, "all", steps, [], time.time())
    before = publisher.repository.read().timestamp.expires
    keys = str(publisher.folder / "keys")
    say(publisher.root, "cam-a", release=plan.releases[0][:12])
    with caplog.at_level(logging.INFO):
        look(publisher.root, keys=keys, days=20.0)
    assert rollouts.rollout_of(str(publisher.root), "all").step == 1
    assert publisher.repository.read().timestamp.expires > before
    assert "signed anew" in caplog.text

    say(publisher.root, "cam-a", update_refused="model x: 3 looks in a row failed")
    look(publisher.root, keys=keys)
    plan = rollouts.rollout_of(str(publisher.root), "all")
    assert plan.state == "paused"
    assert {(e.subject, e.kind) for e in told[-1].begun} == {
        ("cam-a", "update"),
        ("group all", "rollout"),
    }
    assert "cam-a: went back: model x" in told[-1].begun[-1].text
    rollouts.resume(str(publisher.root), "all", [], time.time())

    look(publisher.root, keys=str(tmp_path / "none"))
    assert [(e.subject, e.kind) for e in told[-1].begun] == [("home publication", "keys")]
    assert [each.subject for each in told[-1].over] == ["group all"]


def test_a_damaged_record_of_windows_is_told_and_keeps_no_other_alarm(
    tmp_path: Path, told: list[News]
) -> None:
    say(tmp_path, "cam-b", source="the camera is stuck")
    entry = Path(windows_entry(str(tmp_path), 1))
    entry.parent.mkdir(parents=True)
    entry.write_bytes(b"no table")
    look(tmp_path)
    assert [(e.subject, e.kind) for e in told[-1].begun] == [
        ("cam-b", "camera"),
        ("home windows", "record"),
    ]


def test_what_the_server_does_not_take_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(tmp_path, "cam-b", source="the camera is stuck")
    monkeypatch.setattr(server, "_event", lambda *_: {"no": "event"})
    state: State[Any] = flows.fleet.fleet(str(tmp_path), return_state=True)
    assert state.is_failed()
    assert read_or_none(problems_place(str(tmp_path))) is None
