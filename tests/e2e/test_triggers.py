"""Triggers on a real server: an hour is started once, and plays once they fire."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Completed, Crashed, Failed, Running

import flows.triggers
from backhaul.campaign.config import CampaignConfig
from backhaul.triggers.hours import begin_hour, finish_hour
from flows.server import triggers as shown
from tests.e2e.conftest import Ended, Place
from tests.e2e.edge import BATCH, Edge
from tests.nodes import picture
from tests.triggered import NOON, Arriving

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

LABELLED = {"kind": "labelled", "images": 2}


# The flow `triggers`, on a run of which nothing is trained


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def hours(client: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A deployment of hours that no worker serves, on a server that somebody looks at."""
    for module in (flows.triggers, shown):
        monkeypatch.setattr(module, "is_temporary", lambda: False)
    name = f"hourly-{tmp_path.name}"
    flow_id = client.create_flow_from_name("hourly")
    client.create_deployment(flow_id=flow_id, name=name)
    return f"hourly/{name}"


@pytest.fixture
def arriving(tmp_path: Path) -> Arriving:
    return Arriving(tmp_path / "store").with_triggers(LABELLED)


def asked(arriving: Arriving, starts: str) -> str:
    config: CampaignConfig = arriving.run.config
    state: State[Any] = flows.triggers.triggers(config, starts, return_state=True)
    assert state.is_completed(), state.message
    return state.message or ""


def started(client: SyncPrefectClient, starts: str) -> list[FlowRun]:
    deployment = client.read_deployment_by_name(starts).id
    return [run for run in client.read_flow_runs() if run.deployment_id == deployment]


def end(client: SyncPrefectClient, run: FlowRun, state: State[Any]) -> None:
    client.set_flow_run_state(run.id, Running(), force=True)
    client.set_flow_run_state(run.id, state, force=True)


def test_a_decision_starts_one_hour_however_often_it_is_asked(
    arriving: Arriving, hours: str, client: SyncPrefectClient
) -> None:
    names = arriving.drop(4)
    assert asked(arriving, hours) == "not yet: 0 of 2 labelled images; nothing to start"
    arriving.label(names)
    assert "decision 1 fired: 4 of 2 labelled images; started hourly" in asked(arriving, hours)
    asked(arriving, hours)
    [run] = started(client, hours)
    assert run.parameters["config"]["triggers"] == {"kind": "labelled", "images": 2}
    assert run.parent_task_run_id is None
    page = client.request("GET", "/artifacts/edge-triggers/latest").json()  # type: ignore[arg-type]
    assert page["description"] == "edge: decision 1 fired: 4 of 2 labelled images"
    assert "| 2 labelled images of full batches | 4 | yes |" in page["data"]


def test_a_damaged_record_of_decisions_stops_no_hour(
    arriving: Arriving, hours: str, client: SyncPrefectClient
) -> None:
    arriving.drop(4)
    asked(arriving, hours)
    place = Path(arriving.decisions.place)
    place.write_bytes(place.read_bytes()[:-20])
    assert asked(arriving, hours) == "not yet: 0 of 2 labelled images; nothing to start"


def test_images_that_have_just_come_are_taken_in(
    arriving: Arriving, hours: str, client: SyncPrefectClient
) -> None:
    arriving.with_triggers({"kind": "bytes", "bytes": 1})
    for number in range(4):
        arriving.store.drop(f"cam/{number}.jpg", picture(90 + number))
    assert "decision 1 fired" in asked(arriving, hours)
    assert arriving.state.formed == 1


@pytest.mark.parametrize("ended", [Cancelled(), Crashed(message="lost")])
def test_an_hour_that_was_cancelled_or_lost_is_followed_by_another(
    ended: State[Any], arriving: Arriving, hours: str, client: SyncPrefectClient
) -> None:
    arriving.label(arriving.drop(4))
    asked(arriving, hours)
    [first] = started(client, hours)
    client.set_flow_run_state(first.id, Running(), force=True)
    assert "goes on; it is asked again later" in asked(arriving, hours)
    end(client, first, ended)
    asked(arriving, hours)
    asked(arriving, hours)
    assert len(started(client, hours)) == 2


def test_an_hour_that_failed_is_not_tried_again_at_once(
    arriving: Arriving, hours: str, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving.label(arriving.drop(4))
    asked(arriving, hours)
    [first] = started(client, hours)
    end(client, first, Failed(message="a method failed"))
    assert "is started again after 1:00:00" in asked(arriving, hours)
    assert len(started(client, hours)) == 1


def test_an_hour_that_played_is_not_followed_by_another(
    arriving: Arriving, hours: str, client: SyncPrefectClient
) -> None:

    arriving.label(arriving.drop(4))
    asked(arriving, hours)
    begin_hour(arriving.run, arriving.state, NOON)
    arriving.play()
    finish_hour(arriving.run, arriving.state, NOON)
    [first] = started(client, hours)
    end(client, first, Completed())
    assert "no batch is full" in asked(arriving, hours)
    assert len(started(client, hours)) == 1
    arriving.label(arriving.drop(4))
    assert "decision 2 fired" in asked(arriving, hours)
    assert len(started(client, hours)) == 2


def test_without_triggers_an_hour_is_started_for_whatever_is_full(
    arriving: Arriving, hours: str, client: SyncPrefectClient
) -> None:
    arriving.changes.pop("triggers")
    assert asked(arriving, hours) == "no triggers; nothing to start"
    arriving.drop(4)
    asked(arriving, hours)
    asked(arriving, hours)
    assert len(started(client, hours)) == 1
    assert arriving.decisions.read().decisions == ()


def test_a_deployment_that_is_missing_is_named(arriving: Arriving, hours: str) -> None:
    arriving.label(arriving.drop(4))
    state: State[Any] = flows.triggers.triggers(
        arriving.run.config, "hourly/none", return_state=True
    )
    assert "no deployment hourly/none" in (state.message or "")
    assert asked(arriving, hours).startswith("decision 1 fired")  # nothing was lost by it


# Hours of `backhaul hourly`, with a detector


class Site:
    """A site with a camera, whose campaign has triggers."""

    def __init__(self, place: Place, triggers: Any) -> None:
        self.place = place
        self.edge = Edge.begin(place.folder / "scenes", str(place.folder))
        self.config = place.folder / "edge.yaml"
        config = self.edge.config(str(place.folder), triggers=triggers)
        self.config.write_text(yaml.safe_dump(config))
        self.records = place.folder / ".backhaul" / "runs" / "edge"

    def hour(self, *options: str) -> Ended:
        ended = self.place.backhaul("hourly", self.config, *options)
        assert ended.code == 0, ended.err
        return ended

    def backhaul(self, *words: str | Path) -> str:
        ended = self.place.backhaul(*words)
        assert ended.code == 0, ended.err
        return ended.out

    @property
    def played(self) -> dict[str, int]:
        state = json.loads((self.records / "state.json").read_text())
        return dict(state["played"])

    @property
    def decisions(self) -> list[dict[str, Any]]:
        log = json.loads((self.records / "triggers" / "decisions.json").read_text())
        return list(log["decisions"])


@pytest.mark.train
def test_hours_play_once_the_triggers_fire(new_place: Callable[[str], Place]) -> None:
    site = Site(new_place("triggered"), LABELLED)
    site.edge.drop("cam", range(BATCH), labelled=False)
    first = site.hour()
    assert "Completed: triggers: not yet: 0 of 2 labelled images" in first.out
    assert site.played == {}
    site.edge.label("cam", 0)
    assert "not yet: 1 of 2 labelled images" in site.hour().out
    assert "not yet: 1 of 2" in site.backhaul("triggers", "ask", site.config)
    for number in range(BATCH):
        site.edge.label("cam", number)
    assert "fires: 8 of 2" in site.backhaul("triggers", "ask", site.config)
    site.hour()
    assert site.played == {"iqr": 1}
    assert "no batch is full: 0 of 8 images wait" in site.hour().out
    explained = site.backhaul("triggers", "explain", "edge")
    assert "decision 1 fired: 8 of 2 labelled images" in explained
    assert "batch 0: played by all methods at" in explained

    site.edge.drop("cam", range(BATCH, 2 * BATCH), labelled=False)
    said = site.backhaul("triggers", "fire", "edge", "--reason", "the site has changed")
    assert "decision 2 fired by " in said
    waits = site.hour()  # it chooses, and waits for labels of what it chose
    assert "AwaitingLabels" in waits.out
    for number in range(BATCH, 2 * BATCH):
        site.edge.label("cam", number)
    site.hour()  # goes on: what was decided stands until it is played
    assert site.played == {"iqr": 2}
    assert [d["done_s"] is not None for d in site.decisions if d["fires"]] == [True, True]

    site.edge.drop("cam", range(2 * BATCH, 3 * BATCH))
    site.config.write_text(site.config.read_text().replace("images: 2", "images: 99"))
    assert "not yet: 8 of 99" in site.hour().out
    site.hour("--now")
    assert site.played == {"iqr": 3}


@pytest.mark.slow
@pytest.mark.train
def test_an_hour_that_was_killed_goes_on(new_place: Callable[[str], Place]) -> None:
    site = Site(new_place("killed-hour"), LABELLED)
    site.edge.drop("cam", range(BATCH))
    run = site.place.start("hourly", site.config)
    try:
        until(lambda: run.poll() is not None or _has_begun(site))
        assert run.poll() is None, (site.place.folder / "log").read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert site.played == {}
    for label in (site.place.folder / "labels" / "cam").iterdir():
        label.rename(label.with_suffix(".later"))
    assert "AwaitingLabels" in site.hour().out
    for label in (site.place.folder / "labels" / "cam").iterdir():
        label.rename(label.with_suffix(".txt"))
    site.hour()
    assert site.played == {"iqr": 1}
    assert [d["number"] for d in site.decisions if d["fires"]] == [1]


def _has_begun(site: Site) -> bool:
    with suppress(FileNotFoundError, json.JSONDecodeError):
        return any(each["batches"] for each in site.decisions)
    return False


def until(reached: Callable[[], Any], patience_s: float = 300) -> None:
    deadline = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < deadline, f"not within {patience_s} s"
        time.sleep(0.02)
