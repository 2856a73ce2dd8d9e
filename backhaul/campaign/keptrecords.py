"""Records that are written once: each is read from the store once in a process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel

from backhaul.campaign.recordfiles import RecordType
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import Stored, files_in

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
    files = [each for each in files_in(folder) if each.uri.endswith(".json")]
    with ThreadPoolExecutor(TRANSFERS) as threads:
        found = list(threads.map(lambda stored: _kept(kind, stored), files))
    stems = (each.uri.rpartition("/")[2].removesuffix(".json") for each in files)
    return {s: each for s, each in zip(stems, found, strict=True) if each is not None}


@lru_cache(_MOST)
def _kept(kind: RecordType[Any], stored: Stored) -> Any:
    return kind.read(stored.uri)
