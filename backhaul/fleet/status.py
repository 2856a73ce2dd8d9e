"""What nodes say of themselves, and what an operator should know of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from backhaul.storage.conditional import read_bounded
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import Stored, listing
from backhaul.untrusted import one_line

MOST_BYTES = 100_000
"""Of a status; one with more is not read."""
CLOCK_S = 120.0
"""A node whose clock is further from ours than that is told."""
LITTLE_DISK = 500_000_000
"""Free bytes of a node's disk below which it is told."""

Word = Annotated[str, AfterValidator(one_line)]
"""Text of a node's: one line that can be printed anywhere, and what is too long cut off."""
Count = Annotated[int, Field(ge=0, le=2**62)]


class Status(BaseModel):
    """What a node says of itself; keys of later versions are passed over.

    Args:
        node: Its name.
        agent: Version of its software.
        time_s: What its clock showed, seconds since 1970.
        up_s: Seconds since it was started.
        model: Version of the model that looks.
        release: Digest of the published release that it goes by, its first digits; empty = its
            own settings.
        update_refused: Why it does not take what is published; empty if it does.
        policies: Names of the policies that choose.
        window: Number of its window.
        waiting: Frames that wait to be sent.
        waiting_bytes: What their files take of its disk.
        most_bytes: What they may take.
        disk_free_bytes: What is free of its disk.
        last_frame_s_ago: Seconds since its source gave a frame.
        source: What is wrong with its source; empty if nothing is.
        held: Whether it may not send for now.
        refused: Why home did not take what it sent; empty if it did.
        failures: Tries to send in a row that have failed.
        totals: Counts since it was set up: seen, looked, chosen, sent, sent_bytes, up_bytes,
            down_bytes, passed_over, displaced.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    node: Word = ""
    agent: Word = ""
    time_s: float = 0.0
    up_s: float = 0.0
    model: Word = ""
    release: Word = ""
    update_refused: Word = ""
    policies: tuple[Word, ...] = Field((), max_length=20)
    window: int = 0
    waiting: Count = 0
    waiting_bytes: Count = 0
    most_bytes: Count = 0
    disk_free_bytes: Count = 0
    last_frame_s_ago: float = 0.0
    source: Word = ""
    held: bool = False
    refused: Word = ""
    failures: Count = 0
    totals: dict[Word, Count] = Field(default_factory=dict, max_length=50)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node, as home sees it.

    Args:
        name: Name of its folder.
        told_s: When its last status came, seconds since 1970 by the store's clock.
        status: That status; None if it cannot be read.
        problems: What an operator should know, a line each.
    """

    name: str
    told_s: float
    status: Status | None
    problems: tuple[str, ...]


def read_fleet(root: str, now_s: float, late_s: float) -> list[NodeView]:
    """Return the nodes that have ever told how they are, by name.

    Args:
        root: Root of the store.
        now_s: The time, seconds since 1970.
        late_s: A node that was not heard of for longer is silent.

    Raises:
        StoreError: If the store cannot be used.
    """
    with ThreadPoolExecutor(TRANSFERS) as threads:
        return list(threads.map(lambda file: _view(file, now_s, late_s), _files(root)))


def _files(root: str) -> Iterator[Stored]:
    place = f"{root}/nodes"
    for file in listing(place):
        parts = file.uri.removeprefix(f"{place}/").split("/")
        if len(parts) == 2 and parts[1] == "status.json":  # noqa: PLR2004 - NODE/status.json
            yield file


def _view(file: Stored, now_s: float, late_s: float) -> NodeView:
    name = file.uri.split("/")[-2]
    data = read_bounded(file.uri, MOST_BYTES) if file.size_bytes <= MOST_BYTES else None
    try:
        status = None if data is None else Status.model_validate_json(data)
    except ValidationError:
        status = None
    problems = list[str]()
    if now_s - file.modified > late_s:
        problems.append(f"silent for {_in_words(now_s - file.modified)}")
    if status is None:
        problems.append("its status cannot be read")
    else:
        problems += _problems_of(status, file.modified)
    return NodeView(one_line(name), file.modified, status, tuple(problems))


def _problems_of(status: Status, told_s: float) -> Iterator[str]:
    if status.source:
        yield status.source
    if status.refused:
        yield f"home refused: {status.refused}"
    if status.update_refused:
        yield f"update refused: {status.update_refused}"
    if status.disk_free_bytes < LITTLE_DISK:
        yield f"little disk: {status.disk_free_bytes / 1e6:,.0f} MB free"
    if abs(status.time_s - told_s) > CLOCK_S:
        yield f"its clock is off by {_in_words(abs(status.time_s - told_s))}"
    if status.totals.get("displaced", 0) and status.waiting_bytes > 0.9 * status.most_bytes:
        yield "chosen frames are given up: more is chosen than the link carries"


def _in_words(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
