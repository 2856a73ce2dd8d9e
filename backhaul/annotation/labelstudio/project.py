"""The project of a run in Label Studio: made once, and found again by a mark of ours.

Titles are people's, and not unique. The mark stands in the description; it is chosen, and kept
in the store, before the project is made, so that a start that was killed finds what it made.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from backhaul.annotation.labelstudio.client import Json, LabelStudio, LabelStudioError
from backhaul.annotation.labelstudio.interface import BOXES, interface_of
from backhaul.campaign.recordfiles import RecordType
from backhaul.data.formats.writing import plain_names
from backhaul.fleet.keeping import changed
from backhaul.labellayout import project_place
from backhaul.layout import RunFiles

FEWEST_TITLE, MOST_TITLE = 3, 50  # characters that Label Studio takes
_PAGE, _MOST_PAGES = 100, 1_000
_NOT_FOUND = ": 404: "


class ProjectRecord(BaseModel):
    """What a run knows of its project.

    Args:
        mark: What its description contains.
        address: Where it was found last.
        project: Its number there.
        since: When its tasks were changed last, as far as they were looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mark: str
    address: str = ""
    project: int | None = None
    since: AwareDatetime | None = None


PROJECT = RecordType("project of a labelling service", ProjectRecord)


@dataclass(frozen=True)
class Project:
    """The project of a run.

    Args:
        number: Its number on the server.
        since: When its tasks were changed last, as far as they were looked at.
    """

    number: int
    since: datetime | None


def project_of(
    server: LabelStudio, files: RunFiles, class_names: tuple[str, ...], annotators: int
) -> Project:
    """Return the project of a run; it is made where there is none.

    Args:
        server: The server.
        files: Where the files of the run lie.
        class_names: The class list.
        annotators: How many people label each image.

    Raises:
        LabelStudioError: If the server does not answer, or its project lacks a class.
    """
    record = changed(PROJECT, project_place(files), _marked)
    known = record.project if record.address == server.address else None
    found = _at(server, known, record.mark) or _searched(server, record.mark)
    if found is None:
        found = _made(server, files, class_names, annotators, record.mark)
    number = int(found["id"])
    _require_classes(found, server, class_names)
    if found.get("maximum_annotations") != annotators:
        server.patch(f"/api/projects/{number}/", {"maximum_annotations": annotators})
    if number != known:
        where: dict[str, Any] = {"address": server.address, "project": number, "since": None}
        record = changed(
            PROJECT, project_place(files), lambda old: _marked(old).model_copy(update=where)
        )
    return Project(number, record.since)


def note_seen(files: RunFiles, moment: datetime) -> None:
    """Record up to when changes of tasks were looked at.

    Args:
        files: Where the files of the run lie.
        moment: ``updated_at`` of the last one.
    """
    changed(
        PROJECT,
        project_place(files),
        lambda old: _marked(old).model_copy(update={"since": moment}),
    )


def _marked(old: ProjectRecord | None) -> ProjectRecord:
    return old or ProjectRecord(mark=f"backhaul:{uuid.uuid4().hex}")


def _at(server: LabelStudio, number: int | None, mark: str) -> Json:
    """Return the project of a number if it has the mark, else None."""
    if number is None:
        return None
    try:
        found = server.get(f"/api/projects/{number}/")
    except LabelStudioError as error:
        if _NOT_FOUND in str(error):
            return None
        raise
    return found if _has(found, mark) else None


def _searched(server: LabelStudio, mark: str) -> Json:
    for page in range(1, _MOST_PAGES):
        answer = server.get("/api/projects/", {"page": page, "page_size": _PAGE})
        projects = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(projects, list):
            raise LabelStudioError(f"{server.address}: gives no projects as version 1.23 does")
        for each in projects:
            if _has(each, mark):
                return each
        if not answer.get("next"):
            return None
    return None


def _has(project: Json, mark: str) -> bool:
    return isinstance(project, dict) and mark in str(project.get("description") or "")


def _made(
    server: LabelStudio,
    files: RunFiles,
    class_names: tuple[str, ...],
    annotators: int,
    mark: str,
) -> Json:
    name = files.name if len(files.name) >= FEWEST_TITLE else f"run {files.name}"
    text = f"Images of the run {files.name} that wait for labels. Leave this mark: {mark}"
    return server.post(
        "/api/projects/",
        {
            "title": name[:MOST_TITLE],
            "description": text,
            "label_config": interface_of(class_names),
            "maximum_annotations": annotators,
            "show_collab_predictions": True,
        },
    )


def _require_classes(project: Json, server: LabelStudio, class_names: tuple[str, ...]) -> None:
    try:
        there = set(project["parsed_label_config"][BOXES]["labels"])
    except (KeyError, TypeError):
        there = set()
    missing = [name for name in plain_names(class_names) if name not in there]
    if missing:
        raise LabelStudioError(
            f"{server.address}/projects/{project['id']}: its labelling interface lacks the "
            f"class {missing[0]!r}; expected RectangleLabels called {BOXES!r} with all classes"
        )
