"""Inspect files in the inbox: which are readable images, and which detections they have."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from backhaul.data.formats.report import Problem
from backhaul.data.images import (
    ImageFile,
    UnreadableImageError,
    probe_bytes,
    require_few_bytes,
)
from backhaul.data.limits import InboxLimits
from backhaul.data.room import FILE_BYTES
from backhaul.errors import RefusedFileError
from backhaul.inbox.awaiting import digest_named
from backhaul.inbox.batch import read_sidecar
from backhaul.inbox.files import node_and_name, suffix_of
from backhaul.inbox.log import Arrival
from backhaul.inbox.origin import Origin
from backhaul.inbox.sidecar import Checked, read_detections
from backhaul.nodelayout import sidecar_place
from backhaul.storage.conditional import read_or_none
from backhaul.storage.moving import Found, read_found
from backhaul.storage.objects import exists_at


@dataclass(frozen=True, slots=True)
class Look:
    """An image file in the inbox after inspection: readable or not, new or a duplicate.

    Args:
        name: Its name below the inbox.
        image: The file.
        beside: The file of detections that belongs to it, if there is one.
        digest: Begins with the SHA-256 of its content.
        arrival: Its future row of the log; None if it is unreadable.
        known: Whether an image with the same content arrived before.
        problems: What is wrong with its detections.
        reason: Why it is unreadable.
    """

    name: str
    image: Found
    beside: Found | None
    digest: str
    arrival: Arrival | None = None
    known: bool = False
    problems: tuple[Problem, ...] = ()
    reason: str = ""


def look_at(
    root: str,
    name: str,
    image: Found,
    beside: Found | None,
    class_names: tuple[str, ...],
    limits: InboxLimits,
) -> Look | None:
    """Read and inspect an image file of the inbox; return None if it has been removed.

    Args:
        root: Root of the store.
        name: Its name below the inbox, ``NODE/NAME``.
        image: The file.
        beside: The file of detections that belongs to it, if there is one.
        class_names: The class list.
        limits: How much a node may drop.
    """
    digest = hashlib.sha256(image.version.encode()).hexdigest()  # of one that is not read
    try:
        require_few_bytes(image.uri, image.size_bytes, limits)
        with FILE_BYTES.taken(image.size_bytes):
            data = read_found(image, image.uri.removesuffix(f"/{name}"))
            if data is None:
                return None
            digest = hashlib.sha256(data).hexdigest()
            file, suffix = probe_bytes(image.uri, data, limits), suffix_of(data)
            del data
    except UnreadableImageError as error:
        return Look(name, image, beside, digest, reason=error.reason)
    except RefusedFileError as error:
        return Look(name, image, beside, digest, reason=str(error))
    node, own_name = node_and_name(name)
    arrival = Arrival(
        image_id=file.image_id,
        suffix=suffix,
        width=file.width,
        height=file.height,
        node=node,
        name=own_name,
        image=image,
        beside=beside,
    )
    if exists_at(arrival.place(root)):
        return Look(name, image, beside, file.image_id, arrival, known=True)
    origin: Origin | None = None
    if beside is None and digest_named(name) == digest:
        origin, (seen, problems) = _read_told(root, node, file, class_names, limits)
    else:
        folder = image.uri.removesuffix(f"/{name}")
        seen, problems = _read_beside(beside, folder, file, class_names, limits)
    how = None if origin is None else origin.model_dump_json()
    arrival = arrival.model_copy(update={"detections": seen, "origin": how})
    return Look(name, image, beside, file.image_id, arrival, problems=tuple(problems))


def _read_told(
    root: str, node: str, image: ImageFile, class_names: tuple[str, ...], limits: InboxLimits
) -> tuple[Origin | None, Checked]:
    """Return what the agent of a node told about its picture."""
    place = sidecar_place(root, node, image.image_id)
    data = read_or_none(place)
    if data is None:
        return None, (None, [])
    return read_sidecar(data, place, image, class_names, limits)


def _read_beside(
    beside: Found | None,
    folder: str,
    image: ImageFile,
    class_names: tuple[str, ...],
    limits: InboxLimits,
) -> Checked:
    if beside is None:
        return None, []
    if beside.size_bytes > limits.sidecar_bytes:
        reason = (
            f"has {beside.size_bytes:,} bytes, expected at most {limits.sidecar_bytes:,} "
            "(limits.sidecar_bytes)"
        )
        return None, [Problem(beside.uri, None, reason, "error")]
    try:
        data = read_found(beside, folder)
    except RefusedFileError as error:
        return None, [Problem(beside.uri, None, str(error), "error")]
    if data is None:
        return None, []
    return read_detections(data, beside.uri, image, class_names, limits)
