"""Tasks of Label Studio: an image each, with the boxes that a model saw; and their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from backhaul.annotation.labelstudio.boxes import regions_of
from backhaul.annotation.labelstudio.client import LabelStudio, LabelStudioError
from backhaul.annotation.labelstudio.interface import IMAGE
from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats.report import Problem
from backhaul.untrusted import one_line

IMAGE_ID = "backhaul_image"
"""Key in a task's data by which it is found again."""
ROUND = "backhaul_round"
AT_ONCE = 20
"""Tasks of a question: all their ids stand in its address."""
MOST_PAGES = 5_000
"""Of an answer: as many as 100,000 tasks have."""
_MOST_REGIONS, _MOST_ANNOTATIONS = 10_000, 100
_NAME_LENGTH, _NUMBER_LENGTH = 200, 20


class Annotation(BaseModel):
    """What one person made of an image."""

    model_config = ConfigDict(extra="ignore")

    id: int
    result: list[dict[str, Any]] = Field(default=[], max_length=_MOST_REGIONS)
    completed_by: int | None = None
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float | None = None
    updated_at: AwareDatetime

    @field_validator("completed_by", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return value.get("id") if isinstance(value, dict) else value


class Task(BaseModel):
    """An image in a project, with what people made of it."""

    model_config = ConfigDict(extra="ignore")

    id: int
    data: dict[str, Any]
    annotations: list[Annotation] = Field(default=[], max_length=_MOST_ANNOTATIONS)
    total_predictions: int = 0
    updated_at: AwareDatetime

    @property
    def image_id(self) -> str:
        """The image; empty if it is none of ours."""
        return str(self.data.get(IMAGE_ID, ""))

    @property
    def prefix(self) -> str:
        """Prefix of the names of the round that waits for it."""
        return str(self.data.get(ROUND, ""))


@dataclass(frozen=True)
class UnreadTask:
    """A task that cannot be read: its image keeps waiting, and others are gone on with.

    Args:
        image_id: The image; empty if that cannot be read either.
        problem: Where it is, and why it cannot be read.
    """

    image_id: str
    problem: Problem


def place_of(server: LabelStudio, project: int, number: object) -> str:
    """Return where people see a task.

    Args:
        server: The server.
        project: The project.
        number: Number of the task, as the server gives it.
    """
    task = one_line(str(number), _NUMBER_LENGTH)
    return f"{server.address}/projects/{project}/data?task={task}"


def task_of(image: WaitingImage, picture: str) -> dict[str, Any]:
    """Return the data of a new task.

    Args:
        image: The image, which waits for labels.
        picture: Where the annotator's browser finds it.
    """
    return {
        IMAGE: picture,
        IMAGE_ID: image.file.image_id,
        ROUND: image.prefix,
        "node": image.node,
        "name": image.name,
    }


def prediction_of(
    image: WaitingImage, names: tuple[str, ...], min_confidence: float
) -> dict[str, Any]:
    """Return what a model saw in an image, as a prediction.

    Args:
        image: The image.
        names: The class list.
        min_confidence: Boxes with less are left out.
    """
    shown = image.shown.above(min_confidence)
    score = float(np.mean(shown.confidence)) if len(shown.confidence) else 0.0
    return {
        "model_version": shown.model,
        "score": score,
        "result": regions_of(shown.boxes, shown.confidence, image.file, names),
    }


def tasks_by_image(
    server: LabelStudio, project: int, image_ids: Sequence[str]
) -> dict[str, Task | UnreadTask]:
    """Return the tasks of images, by image_id; those without are left out.

    Of an image with several, as people can make them, it is the one that was worked on last,
    with the annotations of all that can be read. A task of which not even the image can be read
    may be that of any image that seems to have none, and is returned for these: no second one
    is made then.

    Args:
        server: The server.
        project: The project.
        image_ids: The images.

    Raises:
        LabelStudioError: If the server does not answer, or gives something else.
    """
    found: dict[str, Task | UnreadTask] = {}
    for start in range(0, len(image_ids), AT_ONCE):
        some = set(image_ids[start : start + AT_ONCE])
        items = [_filter(f"data.{IMAGE_ID}", "equal", "String", each) for each in sorted(some)]
        for task in sorted(_asked(server, project, "or", items), key=_order):
            place = place_of(server, project, task.id if isinstance(task, Task) else None)
            is_lost = isinstance(task, UnreadTask) and not task.image_id
            for image_id in some if is_lost else some & {task.image_id}:
                known = found.get(image_id)
                found[image_id] = _together(place, known, task)
    return found


def tasks_changed_since(
    server: LabelStudio, project: int, moment: datetime
) -> list[Task | UnreadTask]:
    """Return the tasks that were changed after a moment, as the server told it.

    Args:
        server: The server.
        project: The project.
        moment: ``updated_at`` of the task that was changed last, as it was known.

    Raises:
        LabelStudioError: If the server does not answer, or gives something else.
    """
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # no other form is taken
    items = [_filter("updated_at", "greater", "Datetime", text)]
    return list(_asked(server, project, "and", items))


def people_at(server: LabelStudio) -> dict[int, str]:
    """Return the mail addresses of the people who work there, by their numbers.

    Raises:
        LabelStudioError: If the server does not answer.
    """
    answer = server.get("/api/users/")
    rows = answer if isinstance(answer, list) else []
    return {
        each["id"]: one_line(str(each.get("email", "")), _NAME_LENGTH)
        for each in rows
        if isinstance(each, dict) and isinstance(each.get("id"), int)
    }


def _filter(name: str, operator: str, kind: str, value: str) -> dict[str, str]:
    return {
        "filter": f"filter:tasks:{name}",
        "operator": operator,
        "type": kind,
        "value": value,
    }


def _order(task: Task | UnreadTask) -> tuple[bool, bool, int]:
    """Sort those that can be read first, and those of which nothing can last."""
    if isinstance(task, Task):
        return False, False, task.id
    return True, not task.image_id, 0


def _together(
    place: str, known: Task | UnreadTask | None, task: Task | UnreadTask
) -> Task | UnreadTask:
    """Return tasks of one image as one: what is finished in any of them is finished."""
    if known is None:
        return task
    if isinstance(known, UnreadTask) or isinstance(task, UnreadTask):
        return known
    annotations = [*known.annotations, *task.annotations]
    if len(annotations) > _MOST_ANNOTATIONS:
        return _unread(place, known.image_id, f"annotations: more than {_MOST_ANNOTATIONS}")
    latest = max(known, task, key=lambda each: max(map(_moment, each.annotations), default=0.0))
    return latest.model_copy(update={"annotations": annotations})


def _moment(annotation: Annotation) -> float:
    return annotation.updated_at.timestamp()


def _asked(
    server: LabelStudio, project: int, conjunction: str, items: list[dict[str, str]]
) -> Iterator[Task | UnreadTask]:
    """Yield the tasks that fit filters, page after page."""
    query = json.dumps({"filters": {"conjunction": conjunction, "items": items}})
    n_seen = 0
    for page in range(1, MOST_PAGES + 1):
        params: dict[str, str | int] = {"project": project, "fields": "all", "query": query}
        answer = server.get("/api/tasks", params | {"page": page, "page_size": AT_ONCE})
        try:
            n_all, rows = int(answer["total"]), list(answer["tasks"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = one_line(str(error), _NAME_LENGTH)
            raise LabelStudioError(
                f"{server.address}: gives no tasks as version 1.23 does: {reason}"
            ) from None
        yield from (_read(server, project, row) for row in rows)
        n_seen += len(rows)
        if not rows or n_seen >= n_all:
            return
    raise LabelStudioError(
        f"{server.address}: gives tasks without end: expected {MOST_PAGES * AT_ONCE:,} at most"
    )


def _read(server: LabelStudio, project: int, row: Any) -> Task | UnreadTask:
    """Return a task; what is wrong with it says nothing of the others."""
    try:
        return Task.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    known = row if isinstance(row, dict) else {}
    data = known.get("data")
    field = ".".join(map(str, first["loc"])) or "task"
    image_id = str(data.get(IMAGE_ID, "")) if isinstance(data, dict) else ""
    place = place_of(server, project, known.get("id"))
    return _unread(place, image_id, f"{field}: {first['msg']}")


def _unread(place: str, image_id: str, reason: str) -> UnreadTask:
    text = f"its task cannot be read, and waits: {reason}"
    return UnreadTask(image_id, Problem(place, None, text, "warning"))
