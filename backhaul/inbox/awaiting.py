"""Pictures of the inbox that wait for what their node's agent tells about them.

An agent names a picture by the SHA-256 of its bytes, and tells of it up to minutes later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from pydantic import TypeAdapter, ValidationError

from backhaul.data.formats.files import stem_and_suffix
from backhaul.inbox.files import node_and_name
from backhaul.nodelayout import inbox_awaiting, sidecar_place
from backhaul.storage.conditional import read_or_none
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import exists_at, replace

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COUNTS = TypeAdapter(dict[str, int])
_DIGITS = 32  # of a digest in the id of an image


def digest_named(name: str) -> str | None:
    """Return the digest that an agent named a picture by; None for any other name.

    Example:
        >>> digest_named("cam-1/2026/a.jpg") is None
        True
    """
    stem = stem_and_suffix(node_and_name(name)[1])[0]
    return stem if _DIGEST.fullmatch(stem) else None


def waiting_for(
    root: str, images: Collection[str], waited: Mapping[str, int], most: int
) -> dict[str, int]:
    """Return the pictures that wait once more, and how often they have waited with that.

    Args:
        root: Root of the store.
        images: Pictures of the inbox without detections beside them, as ``NODE/NAME``.
        waited: How many ingestions each has waited before.
        most: How many it waits at most.
    """

    def is_untold(name: str) -> bool:
        digest = digest_named(name)
        if digest is None or waited.get(name, 0) >= most:
            return False
        return not exists_at(sidecar_place(root, node_and_name(name)[0], digest[:_DIGITS]))

    with ThreadPoolExecutor(TRANSFERS) as threads:
        untold = list(threads.map(is_untold, images))
    pairs = zip(images, untold, strict=True)
    return {name: waited.get(name, 0) + 1 for name, waits in pairs if waits}


def read_waited(root: str) -> dict[str, int]:
    """Return how many ingestions each picture has waited so far."""
    data = read_or_none(inbox_awaiting(root))
    try:
        return {} if data is None else _COUNTS.validate_json(data)
    except ValidationError:  # then each waits a little longer
        return {}


def write_waited(root: str, waits: Mapping[str, int]) -> None:
    """Record how often pictures have waited."""
    replace(inbox_awaiting(root), json.dumps(waits, indent=1).encode())
