"""One task that is wrong, or one image that is refused, holds up none of the others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from backhaul.annotation.labelstudio import tasks as module
from backhaul.annotation.labelstudio.client import (
    Json,
    LabelStudio,
    LabelStudioError,
    LabelStudioRefusalError,
)
from backhaul.annotation.labelstudio.project import Project
from backhaul.annotation.labelstudio.pulling import pull
from backhaul.annotation.labelstudio.pushing import push
from backhaul.annotation.labelstudio.tasks import UnreadTask, tasks_by_image
from backhaul.annotation.waiting import WaitingImage, waiting_images
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.layout import RunFiles
from tests.waiting import CLASSES

MOMENT = "2026-11-21T10:00:00Z"
PROJECT = Project(1, None)
SETTINGS = LabelStudioAnnotation(url="http://there:1")


class Served(LabelStudio):
    """A server with some tasks, which refuses some pictures."""

    def __init__(self, *tasks: object) -> None:
        super().__init__("http://there:1", "token")
        self.tasks = tasks
        self.refused: set[str] = set()
        self.made: list[str] = []

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Json:
        if path == "/api/tasks":
            return {"total": len(self.tasks), "tasks": list(self.tasks)}
        return {"file": "upload/0.png"}

    def upload(self, path: str, name: str, data: bytes, params: Mapping[str, str]) -> Json:
        if f"picture {name.split('.', maxsplit=1)[0]}" in self.refused:
            raise LabelStudioRefusalError("413: too large")
        return {"file_upload_ids": [1]}

    def post(self, path: str, body: Json, params: Mapping[str, str] | None = None) -> Json:
        ids = [each["data"]["backhaul_image"] for each in body]
        if any(f"task {each}" in self.refused for each in ids):
            raise LabelStudioRefusalError("400: no")
        self.made += ids
        return {}


@pytest.fixture
def images(files: RunFiles, waiting: Callable[..., None]) -> list[WaitingImage]:
    waiting(range(3))
    return waiting_images(files)


def task(number: int, image: WaitingImage, **changes: Any) -> dict[str, Any]:
    annotation = {"id": number, "result": [], "completed_by": 1, "updated_at": MOMENT}
    known = {"id": number, "annotations": [annotation], "updated_at": MOMENT}
    return known | {"data": {"backhaul_image": image.file.image_id}} | changes


def ids_of(images: list[WaitingImage]) -> list[str]:
    return [image.file.image_id for image in images]


@pytest.mark.parametrize(
    "wrong",
    [
        {"annotations": [{"id": 1, "updated_at": MOMENT, "result": [{}] * 10_001}]},
        {"annotations": [{"id": 1, "updated_at": MOMENT}] * 101},
        {"annotations": "none"},
        {"updated_at": None},
        {"id": {}},
    ],
)
def test_a_task_that_cannot_be_read_waits_alone(
    files: RunFiles, images: list[WaitingImage], wrong: dict[str, Any]
) -> None:
    server = Served(task(1, images[0]), task(2, images[1], **wrong), 7, task(3, images[2]))
    taken = pull(server, PROJECT, files, images, CLASSES, SETTINGS)
    assert {image.name for image in taken.images} == {images[0].name, images[2].name}
    told = [str(problem) for problem in taken.problems]
    assert len(told) == 2  # the other is no task at all
    assert all("its task cannot be read, and waits" in each for each in told)
    assert push(server, PROJECT, images, CLASSES, 0.1) == 0  # it is not made once more
    assert server.made == []


def test_no_second_task_is_made_where_one_may_be_there(images: list[WaitingImage]) -> None:
    server = Served(task(1, images[0], data=None), task(2, images[1]))
    assert push(server, PROJECT, images, CLASSES, 0.1) == 0
    assert server.made == []


BOX = {"x": 10, "y": 10, "width": 20, "height": 30, "rectanglelabels": ["car"]}
DRAWN = {"type": "rectanglelabels", "from_name": "label", "value": BOX}
LATER = "2026-11-21T10:00:01Z"


def done(*result: dict[str, Any], at: str = MOMENT, **more: Any) -> dict[str, Any]:
    return {"id": len(at), "result": [*result], "completed_by": 1, "updated_at": at} | more


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_finished_in_a_second_task_of_an_image_is_taken(
    files: RunFiles, images: list[WaitingImage], order: int
) -> None:
    """As people make them by hand; the one that was made first is asked for no more."""
    ours = task(1, images[0], annotations=[])
    second = task(2, images[0], annotations=[done(DRAWN)])
    server = Served(*[ours, second][::order])
    taken = pull(server, PROJECT, files, images, CLASSES, SETTINGS)
    [labelled] = taken.images
    assert labelled.n_boxes == 1
    assert labelled.reference.endswith("task=2")


def test_of_two_tasks_of_an_image_the_last_annotation_counts(
    files: RunFiles, images: list[WaitingImage]
) -> None:
    server = Served(
        task(1, images[0], annotations=[done(DRAWN, at=LATER, id=9)]),
        task(2, images[0], annotations=[done()]),
    )
    taken = pull(server, PROJECT, files, images, CLASSES, SETTINGS)
    assert [(image.n_boxes, image.reference[-1]) for image in taken.images] == [(1, "1")]
    many = [task(k, images[0], annotations=[done(id=k)]) for k in range(101)]
    found = tasks_by_image(Served(*many), 1, ids_of(images))[images[0].file.image_id]
    assert isinstance(found, UnreadTask)
    assert "more than 100" in str(found.problem)


def test_nothing_is_told_as_changed_that_was_there_when_labels_were_taken(
    files: RunFiles, images: list[WaitingImage]
) -> None:
    """An approval counts before what others made later."""
    starred = done(DRAWN, ground_truth=True)
    served = task(1, images[0], annotations=[starred, done(at=LATER, id=9, completed_by=2)])
    served["data"]["backhaul_round"] = images[0].prefix
    taken = pull(Served(served), PROJECT, files, images, CLASSES, SETTINGS)
    assert (len(taken.images), taken.problems) == (1, [])


@pytest.mark.parametrize("what", ["picture", "task"])
def test_an_image_that_is_refused_holds_up_no_other(
    images: list[WaitingImage], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, *others = ids_of(images)
    server = Served()
    server.refused.add(f"{what} {first}")
    with caplog.at_level(logging.WARNING):
        assert push(server, PROJECT, images, CLASSES, 0.1) == len(others)
    assert server.made == others
    # Once a name: flows that ran before in this process repeat what `backhaul` logs.
    said = {r.getMessage() for r in caplog.records if "nobody can label it" in r.getMessage()}
    assert len(said) == 1


def test_an_answer_of_pages_without_end_is_cut(
    images: list[WaitingImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless(Served):
        def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Json:
            return super().get(path, params) | {"total": 10**12}

    monkeypatch.setattr(module, "MOST_PAGES", 3)
    with pytest.raises(LabelStudioError, match="without end: expected 60 at most"):
        tasks_by_image(Endless(task(1, images[0])), 1, ids_of(images))


@pytest.mark.parametrize("total", ["many", None, float("inf")])
def test_what_counts_no_tasks_is_no_label_studio(
    images: list[WaitingImage], total: object
) -> None:
    class Uncounted(Served):
        def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Json:
            return json.loads(json.dumps({"total": total, "tasks": []}))

    with pytest.raises(LabelStudioError, match="gives no tasks"):
        tasks_by_image(Uncounted(), 1, ids_of(images))
