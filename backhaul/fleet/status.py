"""What nodes say of themselves, and what an operator should know of it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from backhaul.errors import RefusedFileError
from backhaul.fleet.problems import Problem, problems_of
from backhaul.nodelayout import NAME, status_place, told_folder
from backhaul.storage.conditional import read_bounded
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import Stored, folders_in, stored_at
from backhaul.untrusted import UnreadableFileError, one_line

MOST_BYTES = 100_000
"""Of a status; one with more is not read."""

Word = Annotated[str, AfterValidator(one_line)]
"""Text of a node's: one line that can be printed anywhere, and what is too long cut off."""
Count = Annotated[int, Field(ge=0, le=2**62)]
Seconds = Annotated[float, Field(ge=-1e11, le=1e11)]
"""Of a clock that may be off by any number of years, in few digits."""


class Status(BaseModel):
    """What a node says of itself; keys of later versions are passed over.

    Args:
        node: Its name.
        agent: Version of its software.
        time_s: What its clock showed, seconds since 1970.
        up_s: Seconds since it was started.
        model: Version of the model that looks.
        group: Group whose releases it takes; empty = none, or a version that does not tell.
        release: Digest of the published release that it goes by, its first digits; empty = its
            own settings.
        update_refused: Why it does not take what is published; empty if it does.
        update_asked_s_ago: Seconds since home last answered it what is published; None = not
            since it was started.
        policies: Names of the policies that choose.
        window: Number of its window.
        waiting: Frames that wait to be sent.
        waiting_bytes: What their files take of its disk.
        most_bytes: What they may take.
        disk_free_bytes: What is free of its disk.
        last_frame_s_ago: Seconds since its source gave a frame.
        source: What is wrong with its source; empty if nothing is.
        held: Whether it may not send for now.
        choice_failed: Why its sampling method could not choose, so that chance did; empty if it
            could.
        refused: Why home did not take what it sent; empty if it did.
        failures: Tries to send in a row that have failed.
        keys: What tells its keys apart, eight digits; empty = it did not say.
        keys_refused: Why it does not use the keys that home gave it; empty if it does.
        totals: Counts since it was set up: seen, looked, chosen, sent, sent_bytes, up_bytes,
            down_bytes, passed_over, displaced.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    node: Word = ""
    agent: Word = ""
    time_s: Seconds = 0.0
    up_s: Seconds = 0.0
    model: Word = ""
    group: Word = ""
    release: Word = ""
    update_refused: Word = ""
    update_asked_s_ago: Seconds | None = None
    policies: tuple[Word, ...] = Field((), max_length=20)
    window: Count = 0
    waiting: Count = 0
    waiting_bytes: Count = 0
    most_bytes: Count = 0
    disk_free_bytes: Count = 0
    last_frame_s_ago: Seconds = 0.0
    source: Word = ""
    held: bool = False
    choice_failed: Word = ""
    refused: Word = ""
    failures: Count = 0
    keys: Word = ""
    keys_refused: Word = ""
    totals: dict[Word, Count] = Field(default_factory=dict, max_length=50)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node, as home sees it.

    Args:
        name: Name of its folder.
        told_s: When its last status came, seconds since 1970 by the store's clock; the time of
            the look, where the store refuses to say.
        status: That status; None if it cannot be read.
        found: What an operator should know of it.
    """

    name: str
    told_s: float
    status: Status | None
    found: tuple[Problem, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What an operator should know, a line each."""
        return tuple(problem.text for problem in self.found)


def read_fleet(root: str, now_s: float, late_s: float) -> list[NodeView]:
    """Return the nodes that have ever told how they are, by name.

    Args:
        root: Root of the store.
        now_s: The time, seconds since 1970.
        late_s: A node that was not heard of for longer is silent.

    Raises:
        StoreError: If the store cannot be used.
    """

    def view(node: str) -> NodeView | None:
        place = status_place(root, node)
        try:
            file = stored_at(place)
        except RefusedFileError:
            file = Stored(place, 0, now_s)
        return None if file is None else _view(node, file, now_s, late_s)

    nodes = [name for name in folders_in(told_folder(root)) if re.fullmatch(NAME, name)]
    with ThreadPoolExecutor(TRANSFERS) as threads:
        views = list(threads.map(view, nodes))
    return [each for each in views if each is not None]


def _view(name: str, file: Stored, now_s: float, late_s: float) -> NodeView:
    try:
        data = read_bounded(file.uri, MOST_BYTES)
        status = None if data is None else Status.model_validate_json(data)
    except (ValidationError, UnreadableFileError, RefusedFileError):
        status = None
    found = problems_of(name, status, file.modified, now_s, late_s)
    return NodeView(name, file.modified, status, tuple(found))
