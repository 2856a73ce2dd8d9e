"""Take labels that annotators gave: a file of labels, and a record of where they came from."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from backhaul.annotation.edits import edits_of
from backhaul.annotation.waiting import WaitingImage
from backhaul.campaign.labelled import (
    LABELLED,
    LabelledImage,
    LabelledRound,
    State,
)
from backhaul.data.formats.report import Problem
from backhaul.data.formats.yolo import darknet_lines, parse_lines
from backhaul.fleet.keeping import changed
from backhaul.labellayout import labelled_place
from backhaul.layout import RunFiles
from backhaul.storage.conditional import create
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.values.labels import Labels


@dataclass(frozen=True)
class Given:
    """Labels that annotators gave an image.

    Args:
        image: The image, which waits for them.
        labels: The labels.
        source: What they were taken from, as ``label-studio`` or ``cvat``.
        shown: The boxes that the annotator began with; None = with an empty image.
        reference: What they are called there.
        annotator: Who gave them.
        state: What a reviewer said.
        changed: When they were changed last, if that is known.
        seconds: How long the annotators took, all together.
        agreement: How far two annotators agree.
    """

    image: WaitingImage
    labels: Labels
    source: str
    shown: Labels | None = None
    reference: str = ""
    annotator: str = ""
    state: State = "submitted"
    changed: datetime | None = None
    seconds: float | None = None
    agreement: float | None = None


@dataclass
class Taken:
    """What became of labels that were given.

    Args:
        images: Those that are in the folder of labels now.
        problems: Why others are not.
    """

    images: list[LabelledImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def take(files: RunFiles, given: Sequence[Given], n_classes: int) -> Taken:
    """Write labels into the folder of labels, and record where they came from.

    A file that is there already stays as it is. The record comes first: who was killed between
    the two finds the images waiting, and takes them again.

    Args:
        files: Where the files of the run lie.
        given: The labels, of each image once.
        n_classes: Length of the class list.

    Raises:
        StoreError: If the store cannot be used.
    """
    taken, of_rounds = Taken(), defaultdict[tuple[str, int | None], list[_Ready]](list)
    for each in given:
        ready = _ready(each, n_classes, taken.problems)
        if ready is not None:
            of_rounds[each.image.method, each.image.batch].append(ready)
    for (method, batch), some in of_rounds.items():
        _record(files, method, batch, [each.record for each in some], ())
        with ThreadPoolExecutor(TRANSFERS) as threads:
            put = list(threads.map(_put, some))
        taken.images += [each.record for each, there in zip(some, put, strict=True) if there]
        others = [each for each, there in zip(some, put, strict=True) if not there]
        if others:
            _record(files, method, batch, (), [each.record.image_id for each in others])
            taken.problems += map(_there_already, others)
    return taken


@dataclass(frozen=True)
class _Ready:
    """A file of labels to be written, and what is to be recorded of it."""

    place: str
    data: bytes
    record: LabelledImage


def _put(ready: _Ready) -> bool:
    return create(ready.place, ready.data)


def _there_already(ready: _Ready) -> Problem:
    reason = "other labels were put there meanwhile, and stay as they are"
    return Problem(ready.place, None, reason, "warning")


def _ready(given: Given, n_classes: int, problems: list[Problem]) -> _Ready | None:
    """Return what is to be written of one image; None, and a problem, if a box is wrong."""
    image = given.image
    where = given.reference or image.labels
    checked, wrong = parse_lines(darknet_lines(given.labels), where, image.file, n_classes)
    problems += wrong
    if checked is None or any(problem.severity == "error" for problem in wrong):
        return None
    data = darknet_lines(checked).encode()
    record = LabelledImage(
        image_id=image.file.image_id,
        node=image.node,
        name=image.name,
        source=given.source,
        reference=given.reference,
        annotator=given.annotator,
        state=given.state,
        changed=given.changed,
        digest=hashlib.sha256(data).hexdigest(),
        n_boxes=len(checked),
        seconds=given.seconds,
        edits=None if given.shown is None else edits_of(given.shown, checked),
        agreement=given.agreement,
    )
    return _Ready(image.labels, data, record)


def _record(
    files: RunFiles,
    method: str,
    batch: int | None,
    added: Iterable[LabelledImage],
    gone: Collection[str],
) -> None:
    """Change the record of a round; another process may add other images meanwhile."""

    def with_these(old: LabelledRound | None) -> LabelledRound:
        known = old or LabelledRound(method=method, batch=batch)
        return known.having(added).without(gone)

    changed(LABELLED, labelled_place(files, f"{method}{batch}"), with_these)
