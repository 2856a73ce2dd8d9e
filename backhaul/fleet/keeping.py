"""Records of a fleet that several processes change: by conditional puts alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from backhaul.campaign.recordfiles import RecordType
from backhaul.layout import root_of
from backhaul.storage.conditional import create, read_or_none, swap

M = TypeVar("M", bound=BaseModel)


def changed(kind: RecordType[M], place: str, change: Callable[[M | None], M]) -> M:
    """Change a record, and return it; if another process was faster, `change` is called again.

    Args:
        kind: Type of the record.
        place: Where it lies, in the inner folder of a store.
        change: Returns it anew; it is given None where there is none yet.
    """
    while True:
        content = read_or_none(place)
        old = None if content is None else kind.decode(content, place)
        new = change(old)
        if old is not None and new == old:
            return old
        data = kind.encode(new, root_of(place))
        if create(place, data) if content is None else swap(place, content, data):
            return new
