"""Which keys nodes use, as their statuses tell."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass

from backhaul.errors import InputError
from backhaul.fleet.enrolment import Enrolled, Records
from backhaul.fleet.nodes import NodeView, read_fleet
from backhaul.nodelayout import enrolled_name
from backhaul.storage.conditional import read_bounded
from backhaul.untrusted import UnreadableFileError

_MOST_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Which keys a node uses.

    Args:
        node: Its name.
        enrolled_s: When its token was used, by its own clock, seconds since 1970; None = it was
            not yet.
        uses: Id of the keys that it used last; None = it did not say, or they are none that
            home gave it.
        newest: Id of the keys that it was given last.
        given_s: When that was, seconds since 1970.
        problem: What an operator should know; empty = it uses the newest.
    """

    node: str
    enrolled_s: float | None
    uses: str | None
    newest: str
    given_s: float
    problem: str


def read_key_use(root: str, records: Records) -> list[KeyUse]:
    """Return which keys the nodes use that a token was made for, by name.

    Args:
        root: Root of the store.
        records: What home remembers.

    Raises:
        InputError: If one of the records cannot be read.
        StoreError: If the store cannot be used.
    """
    fleet = {view.name: view for view in read_fleet(root, time.time(), math.inf)}
    every = [records.read(node) for node in records.nodes()]
    return [_use_of(root, record, fleet.get(record.node)) for record in every]


def _use_of(root: str, record: Enrolled, view: NodeView | None) -> KeyUse:
    mark = "" if view is None or view.status is None else view.status.keys
    uses, newest = record.id_of(mark), record.newest
    refused = "" if view is None or view.status is None else view.status.keys_refused
    if uses == newest.key_id:
        problem = ""
    elif refused:
        problem = f"keeps its keys: {refused}"
    elif uses is not None:
        problem = "still uses old keys"
    else:
        problem = f"uses keys that are none of these: {mark}" if mark else "has told no keys"
    enrolled_s = _enrolled_s(root, record.node)
    return KeyUse(record.node, enrolled_s, uses, newest.key_id, newest.time_s, problem)


def _enrolled_s(root: str, node: str) -> float | None:
    """Return when a node was enrolled; what it wrote is believed for that alone."""
    try:
        data = read_bounded(f"{root}/{enrolled_name(node)}", _MOST_BYTES)
        time_s = None if data is None else float(json.loads(data)["time_s"])
    except (UnreadableFileError, ValueError, TypeError, KeyError, RecursionError):
        return None
    except InputError:
        return None
    return time_s if time_s is not None and 0 <= time_s < 2**40 else None
