"""The log of arrived images: numbered entries below ``ingested/log``, never changed.

An entry records where its images are stored. Before any of them is moved, the planned entry is
written below ``ingested/pending``; when all images are in place, the entry itself is written
and the plan removed. So an interrupted ingestion can always be finished by the next one, and
every image of an entry is where the entry says.

What is read back is not believed: a plan moves files of the inbox alone, to the places of
images alone. One that would do else, or is damaged, is set aside.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from backhaul.data.formats.report import Problem
from backhaul.errors import StoreError
from backhaul.inbox.files import DETECTIONS, LOG_COLUMNS
from backhaul.inbox.numbered import first_free
from backhaul.layout import arrival_stem, inbox_entry, inbox_pending, set_aside_place
from backhaul.storage.addresses import absolute
from backhaul.storage.conditional import create, read_or_none
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import names_in
from backhaul.storage.moving import Found, move
from backhaul.storage.objects import exists_at, read_uri, remove, replace
from backhaul.storage.parquet import from_parquet, to_parquet
from backhaul.untrusted import one_line

ImageId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Suffix: TypeAlias = Annotated[str, StringConstraints(pattern=r"^\.[a-z]{3,4}$")]
Side: TypeAlias = Annotated[int, Field(ge=1, lt=2**31)]
_DIGITS, _SHOWN = 12, 200
_ARRIVALS = TypeAdapter(list[Any])
_PLACE = re.compile(r"ingested/images/(?P<part>[0-9a-f]{2})/(?P=part)[0-9a-f]{30}\.[a-z]{3,4}")


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
        origin: How the node chose it (`backhaul.inbox.origin`); None if unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_id: ImageId
    suffix: Suffix
    width: Side
    height: Side
    node: str
    name: str
    image: Found
    beside: Found | None
    detections: str | None = None
    origin: str | None = None

    @property
    def stem(self) -> str:
        """The image's future path, relative to the root and without suffix."""
        return arrival_stem(self.image_id)

    def within(self, inbox: str) -> Arrival:
        """Return the same arrival for an inbox that may have been moved.

        Its files are found by node and name; where else it says they lie does not count.

        Raises:
            ValueError: If a name leads out of the inbox.
        """
        image = f"{self.node}/{self.name}"
        files = {"image": self.image.model_copy(update={"uri": f"{inbox}/{image}"})}
        named = [image]
        if self.beside is not None:
            named.append(f"{image.rpartition('/')[0]}/{self.beside.uri.rpartition('/')[2]}")
            files["beside"] = self.beside.model_copy(update={"uri": f"{inbox}/{named[1]}"})
        for name in named:
            if {"", ".", ".."} & {*name.split("/")} or "\0" in name:
                raise ValueError(f"{name}: leads out of the inbox")
        return self.model_copy(update=files)

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

    number: int = Field(ge=1)
    arrived: datetime
    arrivals: tuple[Arrival, ...]


def read_log(root: str, after: int = 0) -> list[tuple[int, pd.DataFrame]]:
    """Return the entries with a number above `after`, and their numbers, in order.

    Each has the columns ``LOG_COLUMNS``. Earlier entries are not read, and no folder is listed.
    """
    return list(_entries(root, after + 1))


def dropped_as(root: str, uris: Collection[str]) -> dict[str, str]:
    """Return as what arrived images were dropped, ``NODE/NAME``, by where they lie.

    Of other images nothing is said; the whole log may be read for it.

    Args:
        root: Root of the store.
        uris: Where images lie, some of them below ``ingested``.
    """
    wanted = {uri for uri in uris if uri.startswith(f"{absolute(root)}/ingested/")}
    found: dict[str, str] = {}
    entries = _entries(root, 1)
    while len(found) < len(wanted) and (entry := next(entries, None)):
        _, table = entry
        table = table[table["uri"].isin(wanted)]
        found |= dict(zip(table["uri"], table["node"] + "/" + table["name"], strict=True))
    return found


def _entries(root: str, number: int) -> Iterator[tuple[int, pd.DataFrame]]:
    while (data := read_or_none(_entry(root, number))) is not None:
        table = _decoded(data, _entry(root, number))
        yield number, table.assign(uri=f"{absolute(root)}/" + table["uri"])
        number += 1


def _decoded(data: bytes, place: str) -> pd.DataFrame:
    """Return an entry that was read at a place; it cannot be made again.

    Raises:
        StoreError: If it is damaged, or names files that are no arrived images.
    """
    try:
        table = from_parquet(pd.DataFrame, data)
        ours = table["uri"].map(lambda uri: bool(_PLACE.fullmatch(uri))).all()
    except Exception as error:  # whatever is there in place of an entry
        raise StoreError(
            f"{place}: is damaged ({type(error).__name__}): expected an entry of the log of "
            "arrived images, of which this was the only one; put a copy of it there"
        ) from None
    if not ours:
        raise StoreError(f"{place}: names files that are no arrived images")
    if "origin" not in table:  # an earlier version wrote it
        unknown = pd.Series([None] * len(table), index=table.index, dtype="str")
        table = table.assign(origin=unknown)
    return table


def next_number(root: str) -> int:
    """Return the number of the next entry; the search takes logarithmically many requests."""
    return first_free(lambda number: _entry(root, number))


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


def finish_pending(
    root: str, inbox: str, require: Callable[[], None]
) -> tuple[Sequence[Arrival], Sequence[Problem]]:
    """Finish an interrupted ingestion.

    Args:
        root: Root of the store.
        inbox: Folder or address of the inbox, absolute.
        require: Raises if another process took over.

    Returns:
        The images that it had not logged yet, and what is wrong with plans that were set aside.
    """
    finished: list[Arrival] = []
    problems: list[Problem] = []
    for name in names_in(inbox_pending(absolute(root))):
        uri = f"{inbox_pending(absolute(root))}/{name}"
        data = read_uri(uri)
        entry, reason = _ours(data, name, inbox)
        if reason:
            require()
            digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
            kept = set_aside_place(absolute(root), "damaged", f"{name[:_SHOWN]}.{digest}")
            replace(kept, data)
            reason = f"no plan of ours, kept as {kept}: {reason}"
            problems.append(Problem(uri, None, reason, "warning"))
        if entry is not None:
            finished += _finish(root, entry, require)
        else:
            remove(uri)
    return finished, problems


def _ours(data: bytes, name: str, inbox: str) -> tuple[Entry | None, str]:
    """Return what of a plan is ours, None if nothing is, and what is wrong with it."""
    try:
        whole = json.loads(data)
        arrivals = _ARRIVALS.validate_python(whole["arrivals"])
        plan = Entry.model_validate_json(json.dumps({**whole, "arrivals": []}))
    except Exception as error:  # whatever is there in place of a plan
        return None, f"is damaged ({type(error).__name__})"
    if name != f"{plan.number:08d}.json":
        return None, f"is the plan of number {plan.number}"
    kept, reason = [], ""
    for arrival in arrivals:
        try:
            kept.append(Arrival.model_validate_json(json.dumps(arrival)).within(inbox))
        except Exception as error:  # the others of this plan are finished
            reason = one_line(str(error).splitlines()[-1].strip(), _SHOWN)
    return plan.model_copy(update={"arrivals": tuple(kept)}), reason


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
    inbox = arrival.image.uri.removesuffix(f"/{arrival.node}/{arrival.name}")
    if not move(arrival.image, arrival.place(root), inbox):
        return False
    if arrival.beside is not None:
        move(arrival.beside, f"{absolute(root)}/{arrival.stem}{DETECTIONS}", inbox)
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
        "origin": [a.origin for a in arrivals],
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
