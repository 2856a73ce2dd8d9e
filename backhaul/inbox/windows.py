"""The table of the nodes' windows: numbered entries below ``ingested/windows``, never changed.

Before any summary is moved out of the nodes' folder, the entry is written as a plan; when all
are moved, the entry itself is written and the plan removed. So an interrupted ingestion is
finished by the next one, and no window is counted twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.data.formats.report import Problem
from backhaul.errors import StoreError
from backhaul.inbox.numbered import first_free
from backhaul.inbox.reference import remember
from backhaul.inbox.summary import Summary
from backhaul.layout import set_aside_place
from backhaul.nodelayout import told_by, told_folder, told_place, windows_entry, windows_pending
from backhaul.storage.conditional import create, read_or_none
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.moving import Found, move
from backhaul.storage.objects import exists_at, remove, replace
from backhaul.storage.parquet import from_parquet, to_parquet

ENTRY_WINDOWS = 1_000
"""Most windows of one entry, so that a long absence does not fill the memory."""
NUMBERS = ("number", "seen", "looked", "chosen", "sent", "displaced", "suppressed")
BYTES = ("seen_bytes", "chosen_bytes", "sent_bytes", "up_bytes", "down_bytes")
WINDOW_COLUMNS = ("arrived", "name", "node", "policy", "model", *NUMBERS, *BYTES, "summary")
"""Columns of the table: when the summary was read (UTC), its name below the nodes' folder, what
became of the frames, and the whole `Summary` as JSON."""
_DIGITS = 12


class ToldWindow(BaseModel):
    """A summary that was read and lies in the nodes' folder.

    Args:
        name: Its name there.
        file: The file.
        summary: What it says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: Found
    summary: Summary

    def there(self, root: str) -> Found:
        """Return the file, in a store that may have been moved.

        Raises:
            ValueError: If its name is none of a summary.
        """
        if told_by(self.name) != (self.summary.node, "windows"):
            raise ValueError(f"{self.name!r} is no name of a summary")
        return self.file.model_copy(update={"uri": f"{told_folder(root)}/{self.name}"})


class Plan(BaseModel):
    """An entry that is being written.

    Args:
        number: Its number, from 1.
        arrived: Time of the ingestion, UTC.
        windows: The summaries.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    arrived: datetime
    windows: tuple[ToldWindow, ...]


def read_windows(root: str, after: int = 0) -> list[tuple[int, pd.DataFrame]]:
    """Return the entries with a number above `after`, and their numbers, in order.

    Each has the columns ``WINDOW_COLUMNS``. Earlier entries are not read.

    Raises:
        StoreError: If one is damaged.
    """
    entries, number = [], after + 1
    while (table := read_entry(root, number)) is not None:
        entries.append((number, table))
        number += 1
    return entries


def read_entry(root: str, number: int) -> pd.DataFrame | None:
    """Return an entry with the columns ``WINDOW_COLUMNS``; None if there is none.

    Raises:
        StoreError: If it is damaged.
    """
    place = windows_entry(root, number)
    if (data := read_or_none(place)) is None:
        return None
    try:
        return from_parquet(pd.DataFrame, data)[list(WINDOW_COLUMNS)]
    except Exception as error:  # whatever is there in place of an entry
        what = type(error).__name__
        raise StoreError(
            f"{place}: is damaged ({what}): expected an entry of windows"
        ) from None


def summaries_in(table: pd.DataFrame) -> list[Summary]:
    """Return the summaries of a table with ``WINDOW_COLUMNS``."""
    return [Summary.model_validate_json(text) for text in table["summary"]]


def add_windows(
    root: str, windows: Sequence[ToldWindow], arrived: datetime, require: Callable[[], None]
) -> int:
    """Add summaries to the table, and return how many there are now that were not before.

    Args:
        root: Root of the store.
        windows: The summaries; those that changed or went since they were read are left out.
        arrived: Time of the ingestion, UTC.
        require: Raises if another process took over.
    """
    n_added = 0
    number = first_free(lambda n: windows_entry(root, n)) if windows else 0
    for start in range(0, len(windows), ENTRY_WINDOWS):
        part = tuple(windows[start : start + ENTRY_WINDOWS])
        plan = Plan(number=number, arrived=arrived, windows=part)
        require()
        replace(windows_pending(root), plan.model_dump_json().encode())
        n_taken = _finish(root, plan, require)
        n_added += n_taken
        number += bool(n_taken)
    return n_added


def finish_windows(root: str, require: Callable[[], None]) -> tuple[int, list[Problem]]:
    """Finish an interrupted ingestion; return how many windows it had not added yet."""
    place = windows_pending(root)
    data = read_or_none(place)
    if data is None:
        return 0, []
    try:
        plan = Plan.model_validate_json(data)
        for window in plan.windows:
            window.there(root)
    except (ValidationError, ValueError):
        require()
        digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
        kept = set_aside_place(root, "damaged", f"windows.{digest}.json")
        replace(kept, data)
        remove(place)
        return 0, [Problem(place, None, f"no plan of ours, kept as {kept}", "warning")]
    return _finish(root, plan, require), []


def _finish(root: str, plan: Plan, require: Callable[[], None]) -> int:
    taken: list[ToldWindow] = []
    if not exists_at(windows_entry(root, plan.number)):
        require()
        with ThreadPoolExecutor(TRANSFERS) as threads:
            there = threads.map(lambda window: _take(root, window), plan.windows)
            taken = [w for w, ok in zip(plan.windows, there, strict=True) if ok]
    if taken:
        require()
        remember(root, [window.summary for window in taken])
        table = to_parquet(_table(taken, plan.arrived))
        if not create(windows_entry(root, plan.number), table):
            place = windows_entry(root, plan.number)
            raise StoreError(f"{place}: is there already, with something else than expected")
    remove(windows_pending(root))
    return len(taken)


def _take(root: str, window: ToldWindow) -> bool:
    return move(window.there(root), told_place(root, window.name), told_folder(root))


def _table(windows: Sequence[ToldWindow], arrived: datetime) -> pd.DataFrame:
    rows = [_row(window) for window in windows]
    table = pd.DataFrame(rows).assign(arrived=arrived)
    words = dict.fromkeys(("name", "node", "policy", "model", "summary"), "str")
    types = words | {"arrived": "datetime64[us, UTC]"} | dict.fromkeys(NUMBERS + BYTES, "int64")
    return table.astype(types)[list(WINDOW_COLUMNS)]


def _row(window: ToldWindow) -> dict[str, Any]:
    summary = window.summary
    known = {name: getattr(summary, name) for name in NUMBERS[:-2] + BYTES}
    return known | {
        "name": window.name,
        "node": summary.node,
        "policy": summary.policy,
        "model": summary.model,
        "displaced": sum(summary.displaced.values()),
        "suppressed": summary.counts.get("suppressed", 0),
        "summary": summary.model_dump_json(),
    }
