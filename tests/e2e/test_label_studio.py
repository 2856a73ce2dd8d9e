"""A run and a real Label Studio: images go there with boxes, and come back with labels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import yaml

from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.sync import pull_labels, push_images
from backhaul.annotation.waiting import waiting_images
from backhaul.campaign.labelled import LabelledImage, read_labelled
from backhaul.campaign.rounds import read_round
from backhaul.campaign.runrecords import BEGINNING
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.layout import RunFiles
from backhaul.storage.objects import read_value
from backhaul.values.splits import Splits
from deployments.local.label_studio import LabelStudioServer
from tests.e2e.annotators import Desk, drawn
from tests.e2e.conftest import Ended, Place
from tests.e2e.edge import BATCH, Edge
from tests.waiting import beginning, let_wait

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.index,  # the environment of Label Studio is made of it, once
    pytest.mark.timeout(1_200),
]

KEY = "LABELS_KEY"


@dataclass
class Site:
    """A run whose annotators work in Label Studio."""

    place: Place
    server: LabelStudioServer
    name: str
    annotation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.edge = Edge.begin(self.place.folder / "scenes", str(self.place.folder))
        asked = {"url": self.server.address, "key_variable": KEY, "min_confidence": 0.2}
        data = {"kind": "inbox", "annotation": asked | self.annotation}
        config = self.edge.config(str(self.place.folder), name=self.name, data=data)
        self.config = self.place.folder / "edge.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.files = RunFiles(str(self.place.folder), self.name)
        self.desk = Desk(self.server)

    def call(self, *arguments: str | Path) -> Ended:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(KEY, self.server.token)
            ended: Ended = self.place.backhaul(*arguments)
        assert self.server.token not in ended.out + ended.err
        return ended

    def hour(self) -> Ended:
        ended = self.call("hourly", self.config, "--plain")
        assert ended.code == 0, ended.err
        return ended

    @property
    def labelled(self) -> dict[str, LabelledImage]:
        """Where labels came from, by the name of their image."""
        rounds = read_labelled(self.files).values()
        return {each.name: each for record in rounds for each in record.images}

    def label_file(self, task: dict[str, Any]) -> Path:
        data = task["data"]
        place = Path(self.place.folder, "labels", data["node"], data["name"])
        return place.with_suffix(".txt")


@pytest.fixture
def site(new_place: Callable[[str], Place], label_studio: LabelStudioServer) -> Site:
    return Site(new_place("desk"), label_studio, "desk")


def test_boxes_are_corrected_and_the_hours_go_on(site: Site) -> None:
    site.edge.drop("cam1", range(BATCH), labelled=False)
    assert "AwaitingLabels" in site.hour().out
    tasks = site.desk.tasks("desk")
    assert len(tasks) == 4
    assert all(task["total_predictions"] == 1 for task in tasks)
    assert {task["predictions"][0]["model_version"] for task in tasks} == {"iqr epoch 2"}
    assert "AwaitingLabels" in site.hour().out  # asked again, nothing is there twice
    assert len(site.desk.tasks("desk")) == 4

    site.server.kill()
    away = site.hour()
    assert "does not answer" in away.err + away.out
    assert "AwaitingLabels" in away.out
    site.server.start()

    accepted, moved, added, removed = tasks
    shown = site.desk.shown(accepted)
    site.desk.submit(accepted, shown)
    nudged = site.desk.shown(moved)
    nudged[0]["value"]["x"] = max(nudged[0]["value"]["x"] - nudged[0]["value"]["width"] / 4, 0)
    site.desk.submit(moved, nudged)
    more = site.desk.shown(added)
    extra = drawn(more[0], x=1.0, y=1.0, width=3.0, height=3.0)
    site.desk.submit(added, [*more, extra])
    site.desk.submit(removed, site.desk.shown(removed)[1:])

    done = site.hour()
    assert "AwaitingLabels" not in done.out, done.err
    edits = {name: each.edits for name, each in site.labelled.items()}
    assert all(each is not None for each in edits.values())
    known = {name: each for name, each in edits.items() if each is not None}
    n_shown = len(shown)
    assert known[accepted["data"]["name"]].accepted == n_shown
    assert known[moved["data"]["name"]].moved == 1
    assert known[added["data"]["name"]].added == 1
    assert known[removed["data"]["name"]].removed == 1
    one = site.labelled[accepted["data"]["name"]]
    assert (one.source, one.annotator, one.seconds) == (
        "label-studio",
        "admin@backhaul.local",
        10.0,
    )
    assert len(site.label_file(accepted).read_text().splitlines()) == n_shown
    splits = read_value(Splits, read_round(site.files, "iqr0").new or pytest.fail("no split"))
    parts = pd.concat([splits.train.table, splits.valid.table, splits.test.table])
    assert set(parts["label_source"]) == {"label-studio"}
    [told] = json.loads(site.call("labels", "status", "desk", "--json").out)["labelled"]
    assert (told["images"], told["seconds"], told["added"]) == (4, 40.0, 1)


def test_what_was_skipped_rejected_or_changed_later_is_said(
    new_place: Callable[[str], Place], label_studio: LabelStudioServer
) -> None:
    site = Site(new_place("said"), label_studio, "said")
    site.edge.drop("cam1", range(BATCH), labelled=False)
    site.hour()
    first, second, third, _ = site.desk.tasks("said")
    made = site.desk.submit(first, site.desk.shown(first))
    site.desk.submit(second, [], was_cancelled=True)
    review = {
        "type": "choices",
        "from_name": "review",
        "to_name": "image",
        "value": {"choices": ["rejected"]},
    }
    refused = site.desk.submit(third, [*site.desk.shown(third), review])
    said = site.call("labels", "sync", "said")
    assert "labels of 1 images taken, 3 images still wait" in said.out
    assert f"cam1/{second['data']['name']}: was skipped" in said.err
    assert f"cam1/{third['data']['name']}: was rejected" in said.err

    before = site.label_file(first).read_bytes()
    site.desk.ask("PATCH", f"/annotations/{made['id']}/", json={"result": []})
    again = site.call("labels", "sync", "said")
    assert f"cam1/{first['data']['name']}: was changed after its labels were taken" in again.err
    assert site.label_file(first).read_bytes() == before
    assert "was changed after" not in site.call("labels", "sync", "said").err

    approved = [*site.desk.shown(third), review | {"value": {"choices": ["approved"]}}]
    site.desk.ask("PATCH", f"/annotations/{refused['id']}/", json={"result": approved})
    assert "labels of 1 images taken, 2" in site.call("labels", "sync", "said").out
    assert site.labelled[third["data"]["name"]].state == "approved"
    assert not site.label_file(second).exists()


def test_a_project_is_found_by_its_mark_and_made_once(
    new_place: Callable[[str], Place], label_studio: LabelStudioServer
) -> None:
    site = Site(new_place("mark"), label_studio, "e2")  # titles have three characters
    site.edge.drop("cam1", range(BATCH), labelled=False)
    site.hour()
    number = site.desk.project("run e2")
    site.desk.ask("PATCH", f"/projects/{number}/", json={"title": "renamed by a person"})
    record = Path(site.files.records) / "annotation.json"
    kept = json.loads(record.read_text())
    assert kept["project"] == number
    waiting = len(site.desk.tasks("renamed by a person"))
    assert "0 images were sent" in site.call("labels", "sync", "e2").out
    assert len(site.desk.tasks("renamed by a person")) == waiting

    site.desk.ask("DELETE", f"/tasks/{site.desk.tasks('renamed by a person')[0]['id']}/")
    assert "1 images were sent" in site.call("labels", "sync", "e2").out
    config = site.desk.ask("GET", f"/projects/{number}/")["label_config"]
    name = re.findall(r'<Label value="([^"]+)"', config)[0]
    other = config.replace(f'<Label value="{name}"', '<Label value="another"')
    site.desk.ask("PATCH", f"/projects/{number}/", json={"label_config": other})
    assert f"lacks the class {name!r}" in site.call("labels", "sync", "e2").one_error()
    assert "KEY is not set" in site.place.backhaul("labels", "sync", "e2").one_error()


def test_what_is_drawn_otherwise_and_tasks_made_by_hand(
    tmp_path: Path, label_studio: LabelStudioServer
) -> None:
    """An outline is taken as the box around it, a mask waits, a second task counts too."""
    files = RunFiles(str(tmp_path), "drawn")
    BEGINNING.write(files.beginning, beginning(files))
    let_wait(files, range(3))
    settings = LabelStudioAnnotation(url=label_studio.address)
    desk = Desk(label_studio)
    with LabelStudio(label_studio.address, label_studio.token) as server:
        push_images(server, files, settings)
        outlined, masked, doubled = desk.tasks(files.name)
        box = desk.shown(outlined)[0]
        name = box["value"]["rectanglelabels"][0]
        outline = {
            "points": [[10, 10], [30, 20], [20, 40]],
            "closed": True,
            "polygonlabels": [name],
        }
        desk.submit(outlined, [box | {"type": "polygonlabels", "value": outline}])
        mask = {"format": "rle", "rle": [0, 1], "brushlabels": [name]}
        desk.submit(masked, [box, box | {"id": "m", "type": "brushlabels", "value": mask}])
        again = {"data": doubled["data"], "project": desk.project(files.name)}
        desk.submit(desk.ask("POST", "/tasks/", json=again), desk.shown(doubled))
        taken = pull_labels(server, files, settings)
        assert push_images(server, files, settings) == 0
    assert sorted(each.name for each in taken.images) == sorted(
        each["data"]["name"] for each in (outlined, doubled)
    )
    [problem] = taken.problems
    assert f"{masked['data']['name']}: an object was drawn as brushlabels" in str(problem)


class Mortal(LabelStudio):
    """Asks until it is killed: before the request of a number, or before its answer came."""

    requests_left = 0
    dies_after_request = False

    def _send(self, *arguments: Any) -> httpx.Response:
        self.requests_left -= 1
        if self.requests_left < 0 and not self.dies_after_request:
            raise KeyboardInterrupt
        answer = super()._send(*arguments)
        if self.requests_left < 0:
            raise KeyboardInterrupt
        return answer


@pytest.mark.parametrize("late", [False, True])
def test_killed_between_any_two_requests_nothing_is_lost_or_there_twice(
    late: bool, tmp_path: Path, label_studio: LabelStudioServer
) -> None:
    files = RunFiles(str(tmp_path), f"killed-{late}")
    BEGINNING.write(files.beginning, beginning(files))
    let_wait(files, range(3))
    settings = LabelStudioAnnotation(url=label_studio.address)
    desk = Desk(label_studio)

    def until_done(step: Callable[[LabelStudio], object]) -> int:
        """Try with one more request each time; return how often it was killed."""
        for n_requests in range(200):
            with Mortal(label_studio.address, label_studio.token) as server:
                server.requests_left, server.dies_after_request = n_requests, late
                try:
                    step(server)
                except KeyboardInterrupt:
                    continue
                return n_requests
        raise AssertionError("it is never done")

    assert until_done(lambda server: push_images(server, files, settings)) > 5
    tasks = desk.tasks(files.name)
    assert len({task["data"]["backhaul_image"] for task in tasks}) == len(tasks) == 3
    assert [task["total_predictions"] for task in tasks] == [1, 1, 1]
    for task in tasks:
        desk.submit(task, desk.shown(task))
    assert until_done(lambda server: pull_labels(server, files, settings)) > 3
    assert waiting_images(files) == []
    [record] = read_labelled(files).values()
    assert sorted(each.name for each in record.images) == ["0.png", "1.png", "2.png"]
