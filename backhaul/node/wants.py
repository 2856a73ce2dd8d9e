"""What home asks of a node, as it writes it down: frames, a report, and to take new keys."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_MOST_SEALED = 20_000
_QUESTION = re.compile(r"[0-9a-f]{1,64}")


class Wants(NamedTuple):
    """What home asks of a node.

    Args:
        frames: Digests of frames that it wants.
        keys: Sealed keys that the node is to take; empty = it keeps its own.
        ask: Which time home asks for a report; empty = it does not.
    """

    frames: frozenset[str] = frozenset()
    keys: str = ""
    ask: str = ""


def wants_of(data: bytes) -> Wants:
    """Return what the file of wants says; what cannot be understood is passed over."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return Wants()
    if not isinstance(found, dict):
        return Wants()
    frames, keys, ask = (found.get(name) for name in ("frames", "keys", "ask"))
    return Wants(
        frozenset(map(str, frames)) if isinstance(frames, list) else frozenset(),
        keys if isinstance(keys, str) and len(keys) <= _MOST_SEALED else "",
        ask if isinstance(ask, str) and _QUESTION.fullmatch(ask) else "",
    )
