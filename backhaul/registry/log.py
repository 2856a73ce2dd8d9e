"""What happened to the models of a run, in order; entries are added, and never changed.

What is true of a version now follows from the log alone, see `backhaul.registry.history`. An
entry is created under the next number by a conditional put: of two that decide at the same time
one is first, and the other sees what it did before it decides again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from backhaul.campaign.keptrecords import read_written_once
from backhaul.campaign.recordfiles import RecordType
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.conditional import create
from backhaul.storage.listing import names_in

Kind: TypeAlias = Literal[
    "candidate",
    "accepted",
    "rejected",
    "awaiting",
    "canary",
    "published",
    "promoted",
    "rolled-back",
    "triggered",
]
"""What an entry says: a version was registered; the gate or a person accepted or rejected it,
or the gate asks a person; it went to the first nodes on probation, or to all; its probation
ended well, or it was taken back; a round was triggered."""
Value: TypeAlias = float | int | str | bool | None


class Entry(BaseModel):
    """An entry of the log.

    Args:
        kind: What happened; entries of a later version of this software may have other kinds.
        version: Number of the version; None for what is of none.
        at_s: When, seconds since 1970.
        by: Who decided: ``gate``, ``canary``, ``triggers``, ``always``, or a person's name.
        reason: Why, one line.
        values: What it was decided by, by name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Kind | str
    version: int | None = None
    at_s: float = Field(default_factory=time.time)
    by: str = ""
    reason: str = ""
    values: dict[str, Value] = {}


ENTRY = RecordType("registry entry", Entry)


def read_log(files: RegistryFiles) -> tuple[Entry, ...]:
    """Return all entries, the first one first."""
    return tuple(_numbered(files).values())


def length_of(files: RegistryFiles) -> int:
    """Return how many entries there are, without a look at them."""
    return len(names_in(files.log))


def append(
    files: RegistryFiles, entry_for: Callable[[Sequence[Entry]], Entry | None]
) -> tuple[Entry, ...]:
    """Add an entry to the log, and return all of it.

    Args:
        files: Where the registry lies.
        entry_for: Given all entries so far, returns the one to add, or None for nothing; it
            is called again where somebody else was first.
    """
    while True:
        known = _numbered(files)
        entries = tuple(known.values())
        entry = entry_for(entries)
        if entry is None:
            return entries
        # Not by how many there are: one that was damaged may have been removed.
        place = files.entry(max(known, default=0) + 1)
        if create(place, ENTRY.encode(entry, files.run.root)):
            return (*entries, entry)


def _numbered(files: RegistryFiles) -> dict[int, Entry]:
    return {int(stem): entry for stem, entry in read_written_once(ENTRY, files.log).items()}
