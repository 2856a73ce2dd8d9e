"""Send an object once, also where nobody knows whether an earlier try arrived."""

from __future__ import annotations

from pathlib import Path

from backhaul.uplink.home import Home, Put


def put_once(home: Home, name: str, data: bytes | Path, *, uncertain: bool) -> Put:
    """Store an object whose name has a digest of its content, unless home has it.

    Args:
        home: Where to.
        name: Its name: equal names mean equal contents.
        data: Its content, or the file that has it.
        uncertain: Whether an earlier try ended in a `LinkDownError`, or the agent did meanwhile.
            Home is asked then, since its answer may be all that was lost.

    Raises:
        LinkDownError: If the outcome is uncertain again.
        HomeRefusedError: If home does not take it.
    """
    before = home.traffic
    n_bytes = data.stat().st_size if isinstance(data, Path) else len(data)
    was_there = (uncertain and home.size(name) == n_bytes) or home.put(name, data).was_there
    return Put(home.traffic - before, was_there)
