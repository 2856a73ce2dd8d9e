"""Who labels what waits in Label Studio: a person who knows the scenes, over its API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from backhaul.annotation.annotator import Annotator, annotate
from backhaul.annotation.labelstudio.boxes import Rectangle, labels_of, regions_of
from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.tasks import Task, tasks_changed_since
from backhaul.data.digits import NAMES
from backhaul.data.images import ImageFile
from backhaul.values.labels import Labels
from deployments.ring.nodes import digest_of
from deployments.ring.scenes import Scenes

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
CAREFUL = Annotator(jitter=0.01)
"""Corners tremble by a hundredth of the box."""
Answers = Callable[[Path, Labels, Labels, np.random.Generator], tuple[Labels, float]]
"""What a person makes of a scene: its picture, its true labels, and the boxes shown."""


def careful(
    picture: Path, truth: Labels, shown: Labels, rng: np.random.Generator
) -> tuple[Labels, float]:
    """Return what a careful person makes of a scene, and the seconds that it takes."""
    answer = annotate(truth, shown, CAREFUL, len(NAMES), rng)
    return answer.labels, answer.seconds


class Desk:
    """Where a person labels.

    Args:
        server: Label Studio, in that person's name.
        scenes: What the cameras saw.
    """

    def __init__(self, server: LabelStudio, scenes: Scenes) -> None:
        self.server = server
        self._pictures = {digest_of(picture): picture for picture in scenes.pictures}
        self._scenes = scenes
        self._rng = np.random.default_rng(0)

    def open_tasks(self) -> list[Task]:
        """Return the tasks that nobody has answered, of all projects."""
        projects = self.server.get("/api/projects/", {"page_size": 100})["results"]
        found = [
            task
            for project in projects
            for task in tasks_changed_since(self.server, int(project["id"]), _LONG_AGO)
        ]
        return [task for task in found if isinstance(task, Task) and not task.annotations]

    def label(self, answers: Answers = careful) -> int:
        """Answer all open tasks, and return how many there were.

        Args:
            answers: What is made of each.
        """
        tasks = self.open_tasks()
        for task in tasks:
            self.answer(task, answers)
        return len(tasks)

    def answer(self, task: Task, answers: Answers = careful) -> None:
        """Answer one task."""
        picture = self.picture_of(task)
        image = self._scenes.image_file(picture)
        labels, seconds = answers(
            picture, self._scenes.truth(picture), self.shown(task, image), self._rng
        )
        result = regions_of(labels, np.ones(len(labels)), image, NAMES)
        body = {"result": result, "lead_time": seconds}
        self.server.post(f"/api/tasks/{task.id}/annotations/", body)

    def picture_of(self, task: Task) -> Path:
        """Return the scene that a task shows."""
        return self._pictures[Path(str(task.data["name"])).stem]

    def shown(self, task: Task, image: ImageFile) -> Labels:
        """Return the boxes that a task begins with; none where the model saw nothing."""
        found = self.server.get("/api/predictions/", {"task": task.id})
        regions = found[0]["result"] if found else []
        boxes = [Rectangle.model_validate(region["value"]) for region in regions]
        return labels_of(boxes, image, NAMES) if boxes else Labels.empty()
