"""The loop closes by itself, on real parts: nodes, S3, PostgreSQL, workers, Label Studio.

Nodes choose, a person labels, once by the mouse in Chromium, triggers fire, a better model is
accepted, proves itself on the first nodes and reaches all. One that was trained on nonsense is
rejected; one that slips through without the gate is taken back by the frames of its first
nodes. Each part is killed once, and the ring goes on.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backhaul.annotation.labelstudio.tasks import Task
from backhaul.values.labels import Labels
from deployments.local.service import Service
from deployments.local.stack import BUCKET, labelling_folder
from deployments.ring.scenes import Scenes
from deployments.ring.site import ARM, N_INITIAL, NAME, Plan, Site, wait_until
from deployments.ring.story import FRAMES, ONE_AT_A_TIME, Story, careless
from tests.e2e.mouse import annotator, drag_and_submit
from tests.e2e.operator import new_stack
from tests.services import guarded

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.s3,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.index,
    pytest.mark.browser,
    pytest.mark.timeout(3_600),
]

MOST_TURNS = 16
WITHOUT_GATE = {"accept": {"kind": "always"}}
BY = (0.1, 0.1)
"""How far a box is moved, in fractions of the image."""
DURING_S = 5
"""So long after it began, a round is in its training."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A site with all its services and three nodes, whose first model is published."""
    folder = tmp_path_factory.mktemp("ring")
    labelling_folder(folder / "up").mkdir(parents=True)
    stack, plan = new_stack(folder / "up"), Plan()
    n_scenes = N_INITIAL + MOST_TURNS * FRAMES * len(plan.nodes)
    site = Site(folder, stack, Scenes.draw(folder / "scenes", n_scenes), plan)
    with guarded(folder / "up"), guarded(folder / "nodes"), ExitStack() as running:
        for service in stack.services:
            running.callback(service.kill)
        stack.start(lambda _: nullcontext())
        story = Story(site, print, running)
        story.first_model()
        story.start_nodes()
        yield story


def kill_and_start(service: Service) -> None:
    """End a service by SIGKILL, and start it again, as what watches over it does."""
    service.kill()
    service.start()


def killed_during_a_round(story: Story, services: Sequence[Service]) -> None:
    """Kill services while an hour plays a round; however that hour ends, it ends."""
    hour = threading.Thread(target=lambda: endured(story), daemon=True)
    hour.start()
    wait_until(lambda: plays_a_round(story), "a round begins", 120)
    time.sleep(DURING_S)
    for service in services:
        kill_and_start(service)
    hour.join(900)
    assert not hour.is_alive()


def plays_a_round(story: Story) -> bool:
    """Return whether a worker plays a round."""
    going_on = {"name": {"any_": [f"{NAME}-{ARM}"]}, "state": {"type": {"any_": ["RUNNING"]}}}
    return bool(story.site.api.find("flow_runs", flow_runs=going_on))


def endured(story: Story) -> None:
    try:
        story.hour("is cut off")
    except Exception as error:  # whatever the client of a dead server raises
        story.tell(f"the hour was cut off: {error}")


def by_mouse(story: Story) -> tuple[Task, Labels]:
    """Move a box that a model saw in Label Studio's editor, and submit; return what it was."""
    desk, labelling = story.desk, story.site.stack.labelling
    assert labelling is not None
    tasks = desk.open_tasks()
    boxes = [desk.shown(t, story.site.scenes.image_file(desk.picture_of(t))) for t in tasks]
    fewest = min((n for n, each in enumerate(boxes) if len(each)), key=lambda n: len(boxes[n]))
    task, shown = tasks[fewest], boxes[fewest]
    [project] = desk.server.get("/api/projects/", {"page_size": 100})["results"]
    place = f"{labelling.address}/projects/{project['id']}/data?task={task.id}"
    middle = shown.xywhn[0, :2]
    away = np.where(middle < 0.5, 1, -1) * BY  # it stays within the picture
    with annotator(labelling) as page:
        x, y = middle.tolist()
        drag_and_submit(page, place, (x, y), (float(away[0]), float(away[1])))
    story.tell(f"label: a box was moved by the mouse in image {task.data['name']}")
    return task, shown


def kinds(story: Story, version: int) -> list[str]:
    """Return what happened to a version, in order."""
    said = story.site.home("models", "show", f"{story.site.run}@{version}", "--json")
    return [entry["kind"] for entry in json.loads(said)["log"]]


def models_on_nodes(story: Story) -> set[str]:
    return {story.site.told(node)["model"] for node in story.site.plan.nodes}


def test_the_ring_closes_and_outlives_the_end_of_each_part(story: Story) -> None:
    site, stack = story.site, story.site.stack
    assert [each["state"] for each in site.versions()] == ["champion"]
    first = models_on_nodes(story)
    assert len(first) == 1

    for agent in story.agents.values():
        kill_and_start(agent)
    story.turn()
    kill_and_start(stack.seaweedfs)
    assert "labelled images" in story.hour("takes in what arrived")["message"]
    assert stack.labelling is not None
    kill_and_start(stack.labelling)
    assert story.desk.label() > site.plan.batch / 2
    kill_and_start(stack.postgresql)
    kill_and_start(stack.server)
    killed_during_a_round(story, [each for each in stack.workers if each.pool == "gpu"])
    while len(site.versions()) == 1:  # what was cut off is caught up
        story.hour("goes on")
    assert story.state_of(2) == "canary"
    story.turn()
    story.hour("asks for labels of what the models saw", **ONE_AT_A_TIME)
    task, shown = by_mouse(story)
    story.desk.label()
    story.hour("takes the labels", **ONE_AT_A_TIME)
    name = f"{task.data['node']}/{Path(str(task.data['name'])).stem}.txt"
    lines = stack.seaweedfs.filesystem.cat_file(f"{BUCKET}/{NAME}/labels/{name}").decode()
    taken = Labels.from_rows([[float(v) for v in line.split()] for line in lines.splitlines()])
    shift = np.abs(taken.xywhn[:, None, :2] - shown.xywhn[None, :, :2]).max(axis=2)
    assert len(taken) == len(shown)
    assert shift.min(axis=1).max() == pytest.approx(BY[0], abs=0.02)
    assert story.until_decided(2) == "champion"
    assert kinds(story, 2)[:4] == ["candidate", "accepted", "canary", "promoted"]


def test_a_bad_candidate_is_rejected_and_one_that_slips_through_is_taken_back(
    story: Story,
) -> None:
    champion = next(v["version"] for v in story.site.versions() if v["state"] == "champion")
    bad = story.round(careless)
    assert bad["state"] == "rejected"
    assert bad["decided"]["by"] == "gate"
    slipped = story.round(careless, **WITHOUT_GATE)
    assert slipped["decided"]["by"] == "always"
    name = f"{NAME}@{slipped['version']}"
    assert story.until_decided(slipped["version"]) == "rolled-back"
    wait_until(lambda: not story.who_runs(name), f"no node runs {name}", 60)
    before = f"{NAME}@{champion}"
    wait_until(lambda: len(story.who_runs(before)) == len(story.agents), before, 60)


def test_all_of_it_is_told(story: Story) -> None:
    site = story.site
    listed: Any = site.home("models", "list", site.run)
    for state in ("champion", "rejected", "rolled-back"):
        assert state in listed
    site.home("report", site.run)
    files = site.stack.seaweedfs.filesystem
    page = files.cat_file(f"{Path(site.run.removeprefix('s3://'))}/report.html").decode()
    for words in ("round triggered", "canary on the first nodes", "promoted", "rolled back"):
        assert words in page
    explained = site.home("triggers", "explain", site.run)
    assert "labelled images" in explained
