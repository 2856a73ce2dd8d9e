"""Take the annotations that people have finished in Label Studio."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backhaul.annotation.agreement import agreement_of
from backhaul.annotation.labelstudio.boxes import labels_of
from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.opinions import Opinions, opinions_in
from backhaul.annotation.labelstudio.project import Project, note_seen
from backhaul.annotation.labelstudio.regions import box_of, drawn_in
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
from backhaul.campaign.labelled import LABELLED, LabelledImage, State
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.data.formats.report import Problem
from backhaul.labellayout import labelled_folder, labelled_place
from backhaul.layout import RunFiles
from backhaul.storage.listing import names_in
from backhaul.untrusted import one_line
from backhaul.values.labels import Labels

SOURCE = "label-studio"
BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)


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
        opinions = opinions_in(self.task.annotations)
        if opinions.approved is not None:
            return self._chosen(opinions.approved, opinions.standing, "approved")
        if not opinions.standing:
            return self._waits(*self._nothing(opinions))
        counting = opinions.reviewed or opinions.standing
        if (problem := self._unread(counting)) is not None:
            return problem
        is_enough = not self.settings.review and len(counting) >= self.settings.annotators
        if not opinions.reviewed and not is_enough:
            return None
        agreement = self._agreement(counting)
        if agreement is not None and agreement < self.settings.min_agreement:
            reason = f"two annotators agree by {agreement:.2f} alone; approve one of them"
            return self._waits(reason, counting[-1])
        state: State = "approved" if opinions.reviewed else "submitted"
        return self._chosen(counting[-1], opinions.standing, state)

    def _nothing(self, opinions: Opinions) -> tuple[str, Annotation]:
        """Return why nothing counts, and whose annotation says so."""
        if opinions.rejected is not None:
            return "was rejected, and waits for other labels", opinions.rejected
        return "was skipped, and waits", self.task.annotations[-1]

    def _unread(self, annotations: Sequence[Annotation]) -> Problem | None:
        """Return why one of several annotations cannot be understood; None if all can."""
        for each in annotations:
            try:
                self._labels(each)
            except ValueError as error:
                return self._waits(str(error), each)
        return None

    def _chosen(
        self, annotation: Annotation, standing: Sequence[Annotation], state: State
    ) -> Given | Problem:
        """Return the labels of an annotation."""
        if (problem := self._unread([annotation])) is not None:
            return problem
        shown = self.image.shown.above(self.settings.min_confidence)
        return Given(
            image=self.image,
            labels=self._labels(annotation),
            source=SOURCE,
            shown=shown.boxes if shown.model else None,
            reference=self.place,
            annotator=self._annotator(annotation),
            state=state,
            changed=max(each.updated_at for each in self.task.annotations),
            seconds=_seconds(self.task.annotations),
            agreement=self._agreement(standing),
        )

    def _labels(self, annotation: Annotation) -> Labels:
        """Return the labels of an annotation.

        Raises:
            ValueError: If an object in it cannot be understood: then the others are not all.
        """
        boxes = [box_of(region) for region in drawn_in(annotation.result)]
        return labels_of(boxes, self.image.file, self.class_names)

    def _agreement(self, standing: Sequence[Annotation]) -> float | None:
        """Return F1 of the first two annotators' boxes; None if there is one alone."""
        try:
            one, other = map(self._labels, standing[:2])
        except ValueError:  # one alone, or what cannot be read
            return None
        return agreement_of([(one, other)]).f1

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


def _seconds(annotations: Sequence[Annotation]) -> float | None:
    """Return how long all annotators took together; None if nobody knows."""
    times = [each.lead_time for each in annotations if not each.was_cancelled]
    known = [each for each in times if each is not None and math.isfinite(each) and each >= 0]
    return sum(known) if known and math.isfinite(sum(known)) else None


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
