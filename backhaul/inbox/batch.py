"""Batches of sidecars: what agents of nodes tell about pictures that they send by themselves.

A batch is a JSON list, compressed by gzip, with an object for each picture: ``digest``, the
SHA-256 of its file, what `Origin` has, and ``detections`` as in a file of detections beside an
image, but for ``scores``, which is a list in the order of the class list.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.data.formats.report import Problem
from backhaul.data.images import ImageFile
from backhaul.data.limits import InboxLimits
from backhaul.inbox.origin import Origin
from backhaul.inbox.sidecar import Checked, read_detections
from backhaul.untrusted import UnreadableFileError, one_line

MOST_SIDECARS = 1_000
"""Of one batch."""
_DIGITS = 32  # of a digest in the id of an image
_GZIP = 31  # to zlib: with the header of gzip
_ROW = frozenset(
    (
        *("class", "class_id", "confidence", "xyxy"),
        *("confidence_std", "votes", "box_spread", "scores"),
    )
)
Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Row: TypeAlias = dict[str, int | float | str | list[float] | None]
"""A detection as it was told: its meaning is checked with the picture."""


class _Told(Origin):
    digest: Digest
    detections: list[Row]
    embedding: str = Field("", max_length=100_000)
    embedding_of: str = Field("", max_length=20)


class StoredSidecar(BaseModel):
    """What a node told about a picture, as it is kept until the picture comes.

    Args:
        origin: How it was chosen.
        detections: What was seen in it, not checked yet: its size is known with the picture.
        embedding: A short vector of it, half precision, base64.
        embedding_of: What the vector was made of: ``features`` or ``descriptors``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    origin: Origin
    detections: list[Row]
    embedding: str = ""
    embedding_of: str = ""


def read_batch(
    data: bytes, path: str, limits: InboxLimits
) -> tuple[dict[str, StoredSidecar], list[Problem]]:
    """Return the sidecars of a batch by the id of their image, and what is wrong with others.

    Args:
        data: Content of the file.
        path: Path of the file, for the problems.
        limits: How much it may hold.

    Raises:
        UnreadableFileError: If nothing in it can be understood.
    """
    whole = _parsed(unpacked(data, path, limits.batch_bytes), path)
    sidecars: dict[str, StoredSidecar] = {}
    problems: list[Problem] = []
    for number, item in enumerate(whole):
        try:
            told = _Told.model_validate(item)
        except ValidationError as error:
            reason = f"sidecar {number}: {_reason(error)}"
            problems.append(Problem(path, None, reason, "error"))
            continue
        sidecars[told.digest[:_DIGITS]] = StoredSidecar(
            origin=Origin.model_construct(**{n: getattr(told, n) for n in Origin.model_fields}),
            detections=told.detections,
            embedding=told.embedding,
            embedding_of=told.embedding_of,
        )
    return sidecars, problems


def unpacked(data: bytes, path: str, most_bytes: int) -> bytes:
    """Return what gzip has compressed, of which never more than `most_bytes` are made.

    Raises:
        UnreadableFileError: If it is no such file, or there is more in it.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(data, most_bytes + 1)
    except zlib.error:
        raise UnreadableFileError(path, "is not compressed by gzip, or damaged") from None
    if len(content) > most_bytes:
        reason = f"unpacks to more than {most_bytes:,} bytes (limits.batch_bytes)"
        raise UnreadableFileError(path, reason)
    if not unpacker.eof or unpacker.unused_data:
        raise UnreadableFileError(path, "is not one whole file of gzip")
    return content


def read_sidecar(
    data: bytes,
    path: str,
    image: ImageFile,
    class_names: tuple[str, ...],
    limits: InboxLimits,
) -> tuple[Origin | None, Checked]:
    """Return how an image was chosen, and the detections in it, checked.

    Args:
        data: A `StoredSidecar` as JSON.
        path: Where it is kept, for the problems.
        image: The image.
        class_names: The class list.
        limits: How much a node may tell.
    """
    try:
        stored = StoredSidecar.model_validate_json(data)
    except ValidationError as error:
        return None, (None, [Problem(path, None, _reason(error), "error")])
    rows = [_row(row, class_names) for row in stored.detections]
    text = json.dumps(rows).encode()
    return stored.origin, read_detections(text, path, image, class_names, limits)


def _row(told: Row, class_names: Iterable[str]) -> dict[str, Any]:
    """Return a detection as it is in a file beside an image: with scores by class."""
    row: dict[str, Any] = {name: value for name, value in told.items() if name in _ROW}
    scores, names = row.get("scores"), tuple(class_names)
    if isinstance(scores, list) and len(scores) == len(names):
        row["scores"] = dict(zip(names, scores, strict=True))
    return row


def _parsed(content: bytes, path: str) -> list[Any]:
    try:
        whole = json.loads(content)
    except Exception as error:  # whatever the parser raises
        reason = f"is no JSON ({type(error).__name__})"
        raise UnreadableFileError(path, reason) from None
    if not isinstance(whole, list):
        raise UnreadableFileError(path, "expected a list of sidecars")
    if len(whole) > MOST_SIDECARS:
        reason = f"{len(whole):,} sidecars, expected at most {MOST_SIDECARS:,}"
        raise UnreadableFileError(path, reason)
    return whole


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ": ".join(one_line(str(part), 50) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
