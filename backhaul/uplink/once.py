"""Send an object once, also where nobody knows whether an earlier try arrived."""

from __future__ import annotations

from pathlib import Path

from backhaul.uplink.body import opened
from backhaul.uplink.home import Home, Put


def put_once(home: Home, name: str, data: bytes | Path, *, uncertain: bool) -> Put:
    """Store an object whose name has a digest of its content, unless home has it.

    Args:
        home: Where to.
        name: Its name: equal names mean equal contents.
        data: Its content, or the file that has it.
        uncertain: Whether an earlier try ended in a `LinkDownError`, or with the agent. Home is
            asked then, since its answer may be all that was lost.

    Raises:
        LinkDownError: If the outcome is uncertain again.
        HomeRefusedError: If home does not take it.
    """
    before = home.traffic
    size = home.size(name) if uncertain else None
    was_there = size is not None and size == _length(data)
    if not was_there:
        # What is there at another size is no copy. Else a store may deny puts that replace.
        was_there = home.put(name, data, replace=size is not None).was_there
    return Put(home.traffic - before, was_there)


def _length(data: bytes | Path) -> int:
    with opened(data) as body:
        return body.n_bytes
