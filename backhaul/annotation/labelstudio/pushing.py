"""Send images that wait to Label Studio: each becomes one task, however often it is tried.

Pictures are uploaded: Label Studio serves them then to whom it knows, whatever store they come
from. It needs no keys of ours, and annotators' browsers need not reach the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from backhaul.annotation.labelstudio.client import LabelStudio, LabelStudioError
from backhaul.annotation.labelstudio.project import Project
from backhaul.annotation.labelstudio.tasks import (
    AT_ONCE,
    prediction_of,
    task_of,
    tasks_by_image,
)
from backhaul.annotation.waiting import WaitingImage
from backhaul.storage.objects import read_uri


def push(
    server: LabelStudio,
    project: Project,
    waiting: Sequence[WaitingImage],
    class_names: tuple[str, ...],
    min_confidence: float,
) -> int:
    """Make a task of each image that has none, and return how many were made.

    Args:
        server: The server.
        project: The project of the run.
        waiting: Images that wait for labels.
        class_names: The class list.
        min_confidence: Boxes of the model with less are left out.

    Raises:
        LabelStudioError: If the server does not answer, or refuses a task.
        MissingObjectError: If an image is gone from the store.
    """
    there = tasks_by_image(server, project.number, [image.file.image_id for image in waiting])
    new = [image for image in waiting if image.file.image_id not in there]
    for start in range(0, len(new), AT_ONCE):
        tasks = []
        for image in new[start : start + AT_ONCE]:
            data = task_of(image, _uploaded(server, project, image))
            shown = prediction_of(image, class_names, min_confidence)
            tasks.append({"data": data, "predictions": [shown] if shown["result"] else []})
        server.post(f"/api/projects/{project.number}/import", tasks)
    for image in waiting:
        task = there.get(image.file.image_id)
        if task is None or task.total_predictions or task.annotations:
            continue
        shown = prediction_of(image, class_names, min_confidence)
        if shown["result"]:  # the server was killed between the task and its boxes
            server.post("/api/predictions/", shown | {"task": task.id})
    return len(new)


def _uploaded(server: LabelStudio, project: Project, image: WaitingImage) -> str:
    """Return the place at the server of a picture that was sent there."""
    name = f"{image.file.image_id}{PurePosixPath(image.file.path).suffix}"
    path, params = f"/api/projects/{project.number}/import", {"commit_to_project": "false"}
    answer = server.upload(path, name, read_uri(image.file.path), params)
    try:
        [number] = answer["file_upload_ids"]
        file = str(server.get(f"/api/import/file-upload/{int(number)}")["file"])
    except (KeyError, TypeError, ValueError):
        raise LabelStudioError(f"{server.address}: does not say where {name} is") from None
    return f"/data/{file}"
