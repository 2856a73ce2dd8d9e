"""Records that are written once: each is read from the store once in a process."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, TypeVar

from pydantic import BaseModel

from backhaul.campaign.recordfiles import RecordType, read_each
from backhaul.storage.listing import Stored

M = TypeVar("M", bound=BaseModel)
_MOST = 2**16
"""Records that are kept."""


def read_written_once(kind: RecordType[M], folder: str) -> dict[str, M]:
    """Return the records in a folder by the stems of their file names, sorted.

    An hour asks many times for the same thousands of them, which never change. One that was
    replaced all the same, as a damaged one may be, is told by its size and time: it is read
    again.

    Args:
        kind: What they are.
        folder: Where they lie.
    """
    return read_each(folder, partial(_kept, kind))


@lru_cache(_MOST)
def _kept(kind: RecordType[Any], stored: Stored) -> Any:
    return kind.read(stored.uri)
