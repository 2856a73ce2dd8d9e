"""Detections of a node in one image, as in the file ``NAME.detections.json`` beside it.

The file is a list with an object for each detection: ``confidence`` in [0, 1], ``xyxy`` in
pixels of the image as displayed, the class as ``class_id`` or ``class``, and optionally
``confidence_std``, ``votes``, ``box_spread`` and ``scores`` by class name. Or it is an object
with such a list as ``detections``, and the ``features`` of the image. The inbox's log stores
the same form.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from backhaul.arrays import FloatArray
from backhaul.data.formats.checks import box_of_corners, check_boxes
from backhaul.data.formats.report import Problem
from backhaul.data.images import ImageFile
from backhaul.data.limits import InboxLimits
from backhaul.errors import InputError
from backhaul.look.fusion import in_order
from backhaul.settings import Probability
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features

Checked: TypeAlias = tuple[str | None, list[Problem]]
"""What a node saw in an image, None if that is not known, and what was wrong with it."""

Corners: TypeAlias = tuple[float, float, float, float]

DEFAULT_LIMITS = InboxLimits()
MOST_PROBLEMS = 5
"""Of one file; what follows is not looked at."""
FINITE = float(np.finfo(np.float32).max)
"""No number of a node is larger: features are kept in single precision."""
COUNTABLE = 2**53
"""No number of votes is larger: such an integer is exact in every table and language."""


class _Detection(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True
    )

    class_id: int | None = None
    name: int | str | None = Field(None, alias="class")
    confidence: Probability
    confidence_std: float = Field(0.0, ge=0.0, le=FINITE)
    votes: int = Field(1, ge=1, le=COUNTABLE)
    xyxy: Corners
    box_spread: float = Field(0.0, ge=0.0, le=FINITE)
    scores: dict[str, Probability] | None = None

    def class_among(self, class_names: tuple[str, ...]) -> int:
        """Return the class id; whether it is in the class list is checked elsewhere."""
        class_ids = {
            value if isinstance(value, int) else _class_id(value, class_names)
            for value in (self.class_id, self.name)
            if value is not None
        }
        if len(class_ids) != 1:
            raise InputError(f"expected one class, got {self.class_id} and {self.name!r}")
        return class_ids.pop()

    def scores_among(self, class_names: tuple[str, ...]) -> list[float]:
        """Return the scores in the order of the class list."""
        scores = self.scores or {}
        if set(scores) != set(class_names):
            raise InputError(f"expected scores of {', '.join(class_names)}, got {[*scores]}")
        return [scores[name] for name in class_names]


class _Sidecar(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    detections: list[_Detection]
    features: list[Annotated[float, Field(ge=-FINITE, le=FINITE)]] | None = None

    def over(self, limits: InboxLimits) -> str:
        """Return what of it is over a limit, and by how much; empty if nothing is."""
        numbers = {
            "detections": len(self.detections),
            "features": len(self.features or ()),
            "votes": max((row.votes for row in self.detections), default=0),
        }
        for what, number in numbers.items():
            most: int = getattr(limits, what)
            if number > most:
                return f"{number:,} {what}, expected at most {most:,} (limits.{what})"
        return ""

    def text(self) -> str:
        """Return it as it is read again."""
        rows = [row.model_dump(by_alias=True, exclude_none=True) for row in self.detections]
        whole = {"detections": rows, "features": self.features}
        return json.dumps(rows if self.features is None else whole)


_List = TypeAdapter(list[_Detection])


def _parse(data: bytes | str) -> _Sidecar:
    if data.lstrip()[:1] in (b"{", "{"):
        return _Sidecar.model_validate_json(data)
    return _Sidecar(detections=_List.validate_json(data))


def _class_id(name: str, class_names: tuple[str, ...]) -> int:
    if name not in class_names:
        raise InputError(f"class {name!r} is none of {', '.join(class_names)}")
    return class_names.index(name)


def write_detections(seen: FusedDetections, class_names: tuple[str, ...]) -> str:
    """Return the detections in one image as the text of its file.

    Args:
        seen: What was seen; features of this image alone.
        class_names: The class list.
    """
    columns = zip(
        seen.class_id.tolist(),
        seen.confidence.tolist(),
        seen.confidence_std.tolist(),
        seen.votes.tolist(),
        seen.xyxy.tolist(),
        seen.box_spread.tolist(),
        [None] * len(seen) if seen.scores is None else seen.scores.tolist(),
        strict=True,
    )
    rows = [
        _Detection(
            name=class_names[class_id],
            confidence=confidence,
            confidence_std=std,
            votes=votes,
            xyxy=tuple(xyxy),
            box_spread=spread,
            scores=None if scores is None else dict(zip(class_names, scores, strict=True)),
        )
        for class_id, confidence, std, votes, xyxy, spread, scores in columns
    ]
    features = None if seen.features is None else seen.features.vectors[0].tolist()
    return _Sidecar(detections=rows, features=features).text()


def read_detections(
    data: bytes,
    path: str,
    image: ImageFile,
    class_names: tuple[str, ...],
    limits: InboxLimits = DEFAULT_LIMITS,
) -> Checked:
    """Return a node's detections in `image`, checked, as text for `detections_of`.

    Boxes follow the rules of `backhaul.data.formats.checks`. If one is wrong, none is known.

    Args:
        data: Content of the file.
        path: Path of the file, for the problems.
        image: The image.
        class_names: The class list.
        limits: How much it may hold.
    """
    try:
        sidecar = _parse(data.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        return None, [Problem(path, None, _reason(error), "error")]
    if over := sidecar.over(limits):
        return None, [Problem(path, None, over, "error")]
    kept: list[_Detection] = []
    problems: list[Problem] = []
    for number, detection in enumerate(sidecar.detections):
        if len(problems) >= MOST_PROBLEMS:
            left = len(sidecar.detections) - number
            reason = f"{left:,} more detections are not looked at, after so many problems"
            problems.append(Problem(path, None, reason, "error"))
            break
        good, wrong = _checked(detection, f"detection {number}: ", path, image, class_names)
        problems += wrong
        kept += good
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    if _are_fractions(kept):
        reason = "all boxes lie within 0 to 1 pixels: xyxy is in pixels, not in fractions"
        problems.append(Problem(path, None, reason, "warning"))
    return sidecar.model_copy(update={"detections": kept}).text(), problems


def _checked(
    detection: _Detection, what: str, path: str, image: ImageFile, class_names: tuple[str, ...]
) -> tuple[list[_Detection], list[Problem]]:
    """Return a detection as it is kept, or none, and what was wrong with it."""
    try:
        class_id = detection.class_among(class_names)
        if detection.scores is not None:
            detection.scores_among(class_names)
    except InputError as error:
        return [], [Problem(path, None, f"{what}{error}", "error")]
    box = box_of_corners(class_id, detection.xyxy, image, what=what)
    good, wrong = check_boxes(path, [box], image, len(class_names))
    if not len(good):
        return [], wrong
    known = {
        "class_id": None,
        "name": class_names[class_id],
        "xyxy": _inside(detection.xyxy, image),
    }
    return [detection.model_copy(update=known)], wrong


def _are_fractions(kept: Sequence[_Detection]) -> bool:
    numbers = [value for detection in kept for value in detection.xyxy]
    whole = all(value.is_integer() for value in numbers)
    return not whole and max(numbers) <= 1


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ": ".join(str(part) for part in first["loc"] if part != "detections")
    return f"detection {where}: {first['msg']}" if where else first["msg"]


def _inside(xyxy: Corners, image: ImageFile) -> Corners:
    x1, y1, x2, y2 = np.clip(xyxy, 0, [image.width, image.height] * 2).tolist()
    return x1, y1, x2, y2


def detections_of(
    image_id: Iterable[str], texts: Iterable[str], class_names: tuple[str, ...]
) -> FusedDetections:
    """Return nodes' detections in images, in the order of `backhaul.look.fusion.fuse`.

    Scores are kept only if all detections have them, features only if all images have them.

    Args:
        image_id: The images.
        texts: Detections in each, as `read_detections` or `write_detections` gives it.
        class_names: The class list.

    Raises:
        InputError: If a class is not in it: the image came when the list was another.
    """
    try:
        sidecars = {name: _parse(text) for name, text in zip(image_id, texts, strict=True)}
    except ValidationError as error:
        raise InputError(f"detections in the log of the inbox: {_reason(error)}") from None
    owners = [name for name, each in sidecars.items() for _ in each.detections]
    rows = [row for each in sidecars.values() for row in each.detections]
    found = FusedDetections(
        image_id=names_of(owners),
        class_id=np.array([row.class_among(class_names) for row in rows], dtype=np.int64),
        confidence=_column([row.confidence for row in rows]),
        xyxy=_column([row.xyxy for row in rows]).reshape(-1, 4),
        confidence_std=_column([row.confidence_std for row in rows]),
        votes=np.array([row.votes for row in rows], dtype=np.int64),
        box_spread=_column([row.box_spread for row in rows]),
        scores=_scores(rows, class_names),
        features=_features(sidecars),
    )
    return found.take(in_order(found))


def _column(values: Sequence[float | Sequence[float]]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _scores(rows: Sequence[_Detection], class_names: tuple[str, ...]) -> FloatArray | None:
    if not rows or any(set(row.scores or ()) != set(class_names) for row in rows):
        return None
    return _column([row.scores_among(class_names) for row in rows])


def _features(sidecars: dict[str, _Sidecar]) -> Features | None:
    vectors = [each.features for each in sidecars.values() if each.features is not None]
    if not vectors or len(vectors) < len(sidecars) or len({len(v) for v in vectors}) > 1:
        return None
    return Features(names_of(sidecars), np.array(vectors, dtype=np.float32))
