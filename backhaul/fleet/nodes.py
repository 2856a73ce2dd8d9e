"""The nodes of a store, as they told last."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import ValidationError

from backhaul.errors import RefusedFileError
from backhaul.fleet.problems import Problem, problems_of
from backhaul.fleet.status import Status
from backhaul.nodelayout import NAME, status_place, told_folder
from backhaul.storage.conditional import read_bounded
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import Stored, folders_in, stored_at
from backhaul.untrusted import UnreadableFileError

MOST_BYTES = 100_000
"""Of a status; one with more is not read."""


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
        return read_node(root, node, now_s, late_s)

    nodes = [name for name in folders_in(told_folder(root)) if re.fullmatch(NAME, name)]
    with ThreadPoolExecutor(TRANSFERS) as threads:
        views = list(threads.map(view, nodes))
    return [each for each in views if each is not None]


def read_node(root: str, node: str, now_s: float, late_s: float) -> NodeView | None:
    """Return one of them, see `read_fleet`; None if it has never told how it is."""
    place = status_place(root, node)
    try:
        file = stored_at(place)
    except RefusedFileError:
        file = Stored(place, 0, now_s)
    return None if file is None else _view(node, file, now_s, late_s)


def _view(name: str, file: Stored, now_s: float, late_s: float) -> NodeView:
    try:
        data = read_bounded(file.uri, MOST_BYTES)
        status = None if data is None else Status.model_validate_json(data)
    except (ValidationError, UnreadableFileError, RefusedFileError):
        status = None
    found = problems_of(name, status, file.modified, now_s, late_s)
    return NodeView(name, file.modified, status, tuple(found))
