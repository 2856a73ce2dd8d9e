"""The log of arrived images: numbered entries below ``ingested/log``, never changed.

An entry records where its images are stored. Before any of them is moved, the planned entry is
written below ``ingested/pending``; when all images are in place, the entry itself is written
and the plan removed. So an interrupted ingestion can always be finished by the next one, and
every image of an entry is where the entry says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pandas as pd
from pydantic import BaseModel, ConfigDict

from backhaul.errors import StoreError
from backhaul.inbox.files import DETECTIONS, LOG_COLUMNS
from backhaul.layout import arrival_stem, inbox_entry, inbox_pending
from backhaul.storage.conditional import create, read_or_none
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.moving import Found, move
from backhaul.storage.objects import exists_at, names_in, read_uri, remove, replace
from backhaul.storage.parquet import from_parquet, to_parquet
from backhaul.storage.places import absolute


class Arrival(BaseModel):
    """An image to be ingested.

    Args:
        image_id: First 32 hexadecimal digits of the SHA-256 of its bytes.
        suffix: That of its format.
        width: Width in pixels as displayed.
        height: Height in pixels as displayed.
        node: The node that dropped it.
        name: Its name below the node's folder.
        image: The file in the inbox.
        beside: The file of detections that comes along, None if there is none.
        detections: The node's detections (`backhaul.inbox.sidecar`); None if unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_id: str
    suffix: str
    width: int
    height: int
    node: str
    name: str
    image: Found
    beside: Found | None
    detections: str | None = None

    @property
    def stem(self) -> str:
        """The image's future path, relative to the root and without suffix."""
        return arrival_stem(self.image_id)

    def place(self, root: str) -> str:
        """Return the image's future path in the store at `root`."""
        return f"{absolute(root)}/{self.stem}{self.suffix}"


class Entry(BaseModel):
    """A planned entry of the log.

    Args:
        number: Its number, from 1.
        arrived: Time of the ingestion, UTC.
        arrivals: The images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    arrived: datetime
    arrivals: tuple[Arrival, ...]


def read_log(root: str, after: int = 0) -> list[tuple[int, pd.DataFrame]]:
    """Return the entries with a number above `after`, and their numbers, in order.

    Each has the columns ``LOG_COLUMNS``. Earlier entries are not read, and no folder is listed.
    """
    entries = []
    number = after + 1
    while (data := read_or_none(_entry(root, number))) is not None:
        table = from_parquet(pd.DataFrame, data)
        entries.append((number, table.assign(uri=f"{absolute(root)}/" + table["uri"])))
        number += 1
    return entries


def next_number(root: str) -> int:
    """Return the number of the next entry; the search takes logarithmically many requests."""
    above = 1
    while exists_at(_entry(root, above)):
        above *= 2
    last = above // 2
    while above - last > 1:
        middle = (last + above) // 2
        last, above = (middle, above) if exists_at(_entry(root, middle)) else (last, middle)
    return above


def write_entry(root: str, entry: Entry, require: Callable[[], None]) -> Sequence[Arrival]:
    """Move the images of an entry to their places, log them, and return them.

    Images that changed or were removed since they were inspected are left out.

    Args:
        root: Root of the store.
        entry: What shall be written.
        require: Raises if another process took over.
    """
    require()
    replace(_pending(root, entry.number), entry.model_dump_json().encode())
    return _finish(root, entry, require)


def finish_pending(root: str, require: Callable[[], None]) -> Sequence[Arrival]:
    """Finish an interrupted ingestion; return the images that it had not logged yet.

    Args:
        root: Root of the store.
        require: Raises if another process took over.
    """
    finished: list[Arrival] = []
    pending = inbox_pending(absolute(root))
    for name in names_in(pending):
        data = read_uri(f"{pending}/{name}")
        finished += _finish(root, Entry.model_validate_json(data), require)
    return finished


def _finish(root: str, entry: Entry, require: Callable[[], None]) -> list[Arrival]:
    taken: list[Arrival] = []
    if not exists_at(_entry(root, entry.number)):
        require()
        with ThreadPoolExecutor(TRANSFERS) as threads:
            there = threads.map(lambda arrival: _take(root, arrival), entry.arrivals)
            taken = [a for a, ok in zip(entry.arrivals, there, strict=True) if ok]
        if taken:
            require()
            _log(_entry(root, entry.number), _table(taken, entry.arrived))
    remove(_pending(root, entry.number))
    return taken


def _take(root: str, arrival: Arrival) -> bool:
    if not move(arrival.image, arrival.place(root)):
        return False
    if arrival.beside is not None:
        move(arrival.beside, f"{absolute(root)}/{arrival.stem}{DETECTIONS}")
    return True


def _log(uri: str, table: pd.DataFrame) -> None:
    if not create(uri, to_parquet(table)):
        raise StoreError(f"{uri}: is there already, with something else than expected")


def _table(arrivals: Sequence[Arrival], arrived: datetime) -> pd.DataFrame:
    """Return the rows of the log; paths are relative to the root, which may be moved."""
    text = {
        "image_id": [a.image_id for a in arrivals],
        "uri": [a.stem + a.suffix for a in arrivals],
        "node": [a.node for a in arrivals],
        "name": [a.name for a in arrivals],
        "detections": [a.detections for a in arrivals],
    }
    numbers = {
        "width": [a.width for a in arrivals],
        "height": [a.height for a in arrivals],
        "size_bytes": [a.image.size_bytes for a in arrivals],
    }
    columns = {name: pd.Series(values, dtype="str") for name, values in text.items()}
    columns |= {name: pd.Series(values, dtype="int64") for name, values in numbers.items()}
    columns["arrived"] = pd.Series([arrived] * len(arrivals), dtype="datetime64[us, UTC]")
    return pd.DataFrame(columns)[list(LOG_COLUMNS)]


def _entry(root: str, number: int) -> str:
    return inbox_entry(absolute(root), number)


def _pending(root: str, number: int) -> str:
    return inbox_pending(absolute(root), number)
