"""Take the annotations that people have finished in Label Studio."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from backhaul.annotation.agreement import agreement_of
from backhaul.annotation.labelstudio.boxes import KIND, Rectangle, labels_of
from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.interface import APPROVED, BOXES, REJECTED, REVIEW
from backhaul.annotation.labelstudio.project import Project, note_seen
from backhaul.annotation.labelstudio.tasks import (
    Annotation,
    Task,
    UnreadTask,
    people_at,
    place_of,
    tasks_by_image,
    tasks_changed_since,
)
from backhaul.annotation.taking import Given, Taken, take
from backhaul.annotation.waiting import WaitingImage
from backhaul.campaign.labelled import LABELLED, LabelledImage
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.data.formats.report import Problem
from backhaul.labellayout import labelled_folder, labelled_place
from backhaul.layout import RunFiles
from backhaul.storage.listing import names_in
from backhaul.untrusted import one_line
from backhaul.values.labels import Labels

SOURCE = "label-studio"
BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Finished:
    annotation: Annotation
    labels: Labels
    is_approved: bool


def pull(
    server: LabelStudio,
    project: Project,
    files: RunFiles,
    waiting: Sequence[WaitingImage],
    class_names: tuple[str, ...],
    settings: LabelStudioAnnotation,
) -> Taken:
    """Take finished annotations of images that wait, and tell of others that were changed.

    Args:
        server: The server.
        project: The project of the run.
        files: Where the files of the run lie.
        waiting: Images that wait for labels.
        class_names: The class list.
        settings: When an annotation counts.

    Raises:
        LabelStudioError: If the server does not answer.
        StoreError: If the store cannot be used.
    """
    tasks = tasks_by_image(server, project.number, [image.file.image_id for image in waiting])
    people = people_at(server) if tasks else {}
    given, problems = list[Given](), list[Problem]()
    for image in waiting:
        task = tasks.get(image.file.image_id)
        if isinstance(task, UnreadTask):
            problems.append(task.problem)
            continue
        if task is None or not task.annotations:
            continue
        place = place_of(server, project.number, task.id)
        found = _Reader(image, task, class_names, settings, people, place).given()
        if isinstance(found, Given):
            given.append(found)
        elif found is not None:
            problems.append(found)
    taken = take(files, given, len(class_names))
    problems += _changed_later(server, project, files)
    # a task that cannot be read is told once, though it waits and was changed
    return Taken(taken.images, list(dict.fromkeys([*problems, *taken.problems])))


@dataclass(frozen=True)
class _Reader:
    """Reads what people made of one image."""

    image: WaitingImage
    task: Task
    class_names: tuple[str, ...]
    settings: LabelStudioAnnotation
    people: Mapping[int, str]
    place: str

    def given(self) -> Given | Problem | None:
        """Return the labels; what keeps the image waiting; None while people are at it."""
        finished, reason = list[_Finished](), "was skipped, and waits"
        for each in self.task.annotations:
            said = _review_of(each)
            if said == REJECTED:
                reason = "was rejected, and waits for other labels"
            if each.was_cancelled or said == REJECTED:
                continue
            try:
                labels = labels_in(each, self.image, self.class_names)
            except ValueError as error:
                return self._waits(str(error), each)
            is_approved = said == APPROVED or each.ground_truth
            finished.append(_Finished(each, labels, is_approved))
        if not finished:
            return self._waits(reason, self.task.annotations[-1])
        return self._chosen(finished)

    def _waits(self, reason: str, by: Annotation) -> Problem:
        name = one_line(f"{self.image.node}/{self.image.name}")
        text = f"{name}: {reason} ({self._annotator(by)})"
        return Problem(self.place, None, text, "warning")

    def _annotator(self, by: Annotation) -> str:
        """Return who made an annotation, by mail address, or number if nobody tells more."""
        number = by.completed_by
        if number is None:
            return "somebody"
        return self.people.get(number) or f"user {number}"

    def _chosen(self, finished: list[_Finished]) -> Given | Problem | None:
        """Return the labels that count: approved ones, else those that came last."""
        approved = [each for each in finished if each.is_approved]
        last = max(approved or finished, key=lambda each: each.annotation.updated_at)
        agreement = _agreement(finished)
        if not approved:
            if self.settings.review:
                return None
            people = {each.annotation.completed_by for each in finished}
            if len(people) < self.settings.annotators:
                return None
            if agreement is not None and agreement < self.settings.min_agreement:
                reason = f"two annotators agree by {agreement:.2f} alone; approve one of them"
                return self._waits(reason, last.annotation)
        times = [each.annotation.lead_time for each in finished]
        known = [
            each for each in times if each is not None and math.isfinite(each) and each >= 0
        ]
        shown = self.image.shown.above(self.settings.min_confidence)
        return Given(
            image=self.image,
            labels=last.labels,
            source=SOURCE,
            shown=shown.boxes if shown.model else None,
            reference=self.place,
            annotator=self._annotator(last.annotation),
            state="approved" if approved else "submitted",
            changed=last.annotation.updated_at,
            seconds=sum(known) if known else None,
            agreement=agreement,
        )


def _agreement(finished: Sequence[_Finished]) -> float | None:
    """Return F1 of the first two annotators' boxes; None if there is one alone."""
    of_people: dict[int | None, Labels] = {}
    for each in finished:
        of_people.setdefault(each.annotation.completed_by, each.labels)
    one, *others = of_people.values()
    return agreement_of([(one, others[0])]).f1 if others else None


def labels_in(
    annotation: Annotation, image: WaitingImage, class_names: tuple[str, ...]
) -> Labels:
    """Return the boxes of an annotation; other regions are passed over.

    Args:
        annotation: What a person made of an image.
        image: The image.
        class_names: The class list.

    Raises:
        ValueError: If a box has no class of the class list, or no numbers.
    """
    regions = [
        r for r in annotation.result if (r.get("type"), r.get("from_name")) == (KIND, BOXES)
    ]
    try:
        rectangles = [Rectangle.model_validate(region.get("value")) for region in regions]
    except ValidationError as error:
        raise ValueError(
            f"a box cannot be read: {one_line(error.errors()[0]['msg'])}"
        ) from None
    return labels_of(rectangles, image.file, class_names)


def _review_of(annotation: Annotation) -> str:
    """Return what a reviewer chose; empty if nothing."""
    for region in annotation.result:
        value: Any = region.get("value")
        if region.get("from_name") == REVIEW and isinstance(value, Mapping):
            choices = value.get("choices")
            if isinstance(choices, list) and choices:
                return str(choices[0])
    return ""


def _changed_later(server: LabelStudio, project: Project, files: RunFiles) -> list[Problem]:
    """Tell of annotations that were changed after their labels were taken; these stay."""
    found = tasks_changed_since(server, project.number, project.since or BEFORE_ALL)
    problems = [task.problem for task in found if isinstance(task, UnreadTask)]
    changed = [task for task in found if isinstance(task, Task)]
    if not changed:
        return problems
    known = _known(files, {task.prefix for task in changed})
    for task in changed:
        labelled = known.get(task.image_id)
        if labelled is not None and _is_another(task, labelled):
            name = one_line(f"{labelled.node}/{labelled.name}")
            reason = (
                f"{name}: was changed after its labels were taken, which stay as they are; "
                "while its batch waits for others, remove their file to take the change"
            )
            place = place_of(server, project.number, task.id)
            problems.append(Problem(place, None, reason, "warning"))
    note_seen(files, max(task.updated_at for task in changed))
    return problems


def _known(files: RunFiles, prefixes: set[str]) -> dict[str, LabelledImage]:
    """Return the images of rounds whose labels were taken, by their ids."""
    there = {name.removesuffix(".json") for name in names_in(labelled_folder(files))}
    places = (labelled_place(files, each) for each in sorted(prefixes & there))
    records = (LABELLED.read(place) for place in places)
    return {i.image_id: i for record in records if record is not None for i in record.images}


def _is_another(task: Task, labelled: LabelledImage) -> bool:
    if labelled.source != SOURCE or labelled.changed is None:
        return False
    moments = [each.updated_at for each in task.annotations if not each.was_cancelled]
    return any(moment > labelled.changed for moment in moments)
