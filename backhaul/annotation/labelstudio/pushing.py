"""Send images that wait to Label Studio: each becomes one task, however often it is tried.

Pictures are uploaded: Label Studio serves them then to whom it knows, whatever store they come
from. It needs no keys of ours, and annotators' browsers need not reach the store.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from backhaul.annotation.labelstudio.client import (
    LabelStudio,
    LabelStudioError,
    LabelStudioRefusalError,
)
from backhaul.annotation.labelstudio.project import Project
from backhaul.annotation.labelstudio.tasks import (
    AT_ONCE,
    IMAGE_ID,
    Task,
    UnreadTask,
    prediction_of,
    task_of,
    tasks_by_image,
)
from backhaul.annotation.waiting import WaitingImage
from backhaul.errors import MissingObjectError
from backhaul.storage.objects import read_uri
from backhaul.untrusted import one_line

LOG = logging.getLogger(__name__)


def push(
    server: LabelStudio,
    project: Project,
    waiting: Sequence[WaitingImage],
    class_names: tuple[str, ...],
    min_confidence: float,
) -> int:
    """Make a task of each image that has none, and return how many were made.

    An image that the server refuses is told of and passed over, and so is one whose task cannot
    be read: `pull` tells of that.

    Args:
        server: The server.
        project: The project of the run.
        waiting: Images that wait for labels.
        class_names: The class list.
        min_confidence: Boxes of the model with less are left out.

    Raises:
        LabelStudioError: If the server does not answer, or refuses the token.
        StoreError: If the store cannot be used.
    """
    there = tasks_by_image(server, project.number, [image.file.image_id for image in waiting])
    new = [image for image in waiting if image.file.image_id not in there]
    n_new = 0
    for start in range(0, len(new), AT_ONCE):
        some = new[start : start + AT_ONCE]
        made = (_task(server, project, each, class_names, min_confidence) for each in some)
        n_new += _made(server, project, [task for task in made if task is not None])
    for image in waiting:
        task = there.get(image.file.image_id)
        if task is None or isinstance(task, UnreadTask):
            continue
        if not task.total_predictions and not task.annotations:
            _show(server, task, image, class_names, min_confidence)
    return n_new


def _task(
    server: LabelStudio,
    project: Project,
    image: WaitingImage,
    class_names: tuple[str, ...],
    min_confidence: float,
) -> dict[str, Any] | None:
    """Return a new task, whose picture was sent; None if that is lost or refused."""
    try:
        picture = _uploaded(server, project, image, read_uri(image.file.path))
    except (MissingObjectError, LabelStudioRefusalError) as error:
        name = one_line(f"{image.node}/{image.name}")
        LOG.warning("%s: nobody can label it: %s", name, error)
        return None
    shown = prediction_of(image, class_names, min_confidence)
    return {
        "data": task_of(image, picture),
        "predictions": [shown] if shown["result"] else [],
    }


def _made(server: LabelStudio, project: Project, tasks: list[dict[str, Any]]) -> int:
    """Make tasks, and return how many were made; where some are refused, those are told of."""
    if not tasks:
        return 0
    try:
        server.post(f"/api/projects/{project.number}/import", tasks)
    except LabelStudioRefusalError as error:
        if len(tasks) > 1:  # all of them were refused, whichever is wrong
            return sum(_made(server, project, [task]) for task in tasks)
        LOG.warning("image %s: nobody can label it: %s", tasks[0]["data"][IMAGE_ID], error)
        return 0
    return len(tasks)


def _show(
    server: LabelStudio,
    task: Task,
    image: WaitingImage,
    class_names: tuple[str, ...],
    min_confidence: float,
) -> None:
    """Add the model's boxes to a task without: the server was killed between the two."""
    shown = prediction_of(image, class_names, min_confidence)
    if not shown["result"]:
        return
    try:
        server.post("/api/predictions/", shown | {"task": task.id})
    except LabelStudioRefusalError as error:
        LOG.warning("task %d: is labelled without the model's boxes: %s", task.id, error)


def _uploaded(
    server: LabelStudio, project: Project, image: WaitingImage, picture: bytes
) -> str:
    """Return the place at the server of a picture that was sent there."""
    name = f"{image.file.image_id}{PurePosixPath(image.file.path).suffix}"
    path, params = f"/api/projects/{project.number}/import", {"commit_to_project": "false"}
    answer = server.upload(path, name, picture, params)
    try:
        [number] = answer["file_upload_ids"]
        file = str(server.get(f"/api/import/file-upload/{int(number)}")["file"])
    except (KeyError, TypeError, ValueError):
        raise LabelStudioError(f"{server.address}: does not say where {name} is") from None
    return f"/data/{file}"
