"""Our own JSON: a file ``NAME.detections.json`` an image, as nodes put it into an inbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.data.limits import InboxLimits
from backhaul.errors import InputError
from backhaul.inbox.files import DETECTIONS
from backhaul.inbox.sidecar import detections_of, read_detections
from backhaul.predictions.found import MOST_CLASS, Collected, Look
from backhaul.predictions.images import Images
from backhaul.untrusted import read_bytes, understanding
from backhaul.values.detections import Detections, FusedDetections

LIMITS = InboxLimits()


def read_sidecars(
    folder: Path, paths: Sequence[str], images: Images, class_names: tuple[str, ...]
) -> Look:
    """Return the boxes in files of one node, or of one checkpoint of it.

    Boxes follow the rules of the inbox. Where every box has one vote and no spread, they are
    those of a single checkpoint.

    Args:
        folder: Where they lie.
        paths: The files; each is named like its image.
        images: The images that they may be of.
        class_names: The class list, see `class_names_in`.

    Raises:
        InputError: If a file is not what it must be.
    """
    found = Collected(str(folder), images)
    texts: dict[str, str] = {}
    notes: list[str] = []
    for path in paths:
        name = path.removeprefix(f"{folder.as_posix()}/").removesuffix(DETECTIONS)
        row = found.image(name, images.row_of_text(name))
        if row is None:
            continue
        file = images.files[row]
        data = read_bytes(path, LIMITS.sidecar_bytes)
        text, problems = read_detections(data, path, file, class_names, LIMITS)
        if text is None:
            wrong = [problem for problem in problems if problem.severity == "error"]
            raise InputError(f"{path}: {wrong[0].reason}")
        notes += [f"{path}: {problem.reason}" for problem in problems]
        texts[file.image_id] = text
    found.require_some()
    seen = detections_of(texts, texts.values(), class_names)
    notes = [*found.notes(), *notes]
    return Look(str(folder), _of_one_checkpoint(seen), tuple(notes))


def class_names_in(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the class list that files without one have: all names in them, sorted.

    If they have numbers alone, classes are called by them.

    Raises:
        InputError: If they have both: which number a name has is not to be guessed. Or if a
            number is none of a class.
    """
    names: set[str] = set()
    numbers: set[int] = set()
    for path in paths:
        for each in _classes(path):
            if isinstance(each, str):
                names.add(each)
            elif 0 <= each <= MOST_CLASS:
                numbers.add(each)
            else:
                raise InputError(f"{path}: class {each}, expected 0 to {MOST_CLASS:,}")
        if names and numbers:
            raise InputError(
                f"{path}: classes have names and numbers; expected the class list as --names"
            )
    if names:
        return tuple(sorted(names))
    return tuple(map(str, range(max(numbers, default=0) + 1)))


def _classes(path: str) -> Iterator[str | int]:
    """Yield what a file calls its classes, as far as it can be understood."""
    with understanding(path):
        content: Any = json.loads(read_bytes(path, LIMITS.sidecar_bytes))
    listed = content.get("detections") if isinstance(content, dict) else content
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            scores = each.get("scores")
            of_scores = scores if isinstance(scores, dict) else ()
            told = (each.get("class"), each.get("class_id"), *of_scores)
            yield from (name for name in told if type(name) in (str, int))


def _of_one_checkpoint(seen: FusedDetections) -> Detections | FusedDetections:
    """Return boxes of one vote and no spread as those of a single checkpoint, others as is."""
    if np.any(seen.votes > 1) or np.any(seen.confidence_std > 0) or np.any(seen.box_spread > 0):
        return seen
    return Detections(
        image_id=seen.image_id,
        epoch=np.ones(len(seen), dtype=np.int64),
        class_id=seen.class_id,
        confidence=seen.confidence,
        xyxy=seen.xyxy,
        scores=seen.scores,
        features=seen.features,
    )
