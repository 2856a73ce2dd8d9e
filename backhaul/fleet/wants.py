"""What home asks of nodes: frames, a report, and to take new keys."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from backhaul.errors import InputError
from backhaul.nodelayout import NAME, wants_name
from backhaul.storage.conditional import read_bounded
from backhaul.storage.objects import replace

MOST_WANTED = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")


def want(root: str, node: str, digests: Sequence[str]) -> int:
    """Ask a node for frames, beside those it was asked for before; return how many it is now.

    The node sends them first, if it still has them. Of very many, what was asked for first is
    no longer asked for: most of it came long ago.

    Args:
        root: Root of the store.
        node: Name of the node.
        digests: The frames, by the digests in their sidecars.

    Raises:
        InputError: If a name or digest is none, or it is too many at once.
    """
    for digest in digests:
        if _DIGEST.fullmatch(digest) is None:
            raise InputError(
                f"{digest!r}: expected the digest of a frame, 64 hexadecimal digits"
            )
    if len(digests) > MOST_WANTED:
        raise InputError(f"{node}: {len(digests):,} frames, expected at most {MOST_WANTED:,}")
    known = [each for each in wants_for(root, node)["frames"] if each not in set(digests)]
    wanted = [*known, *dict.fromkeys(digests)][-MOST_WANTED:]
    ask(root, node, frames=wanted)
    return len(wanted)


def ask(root: str, node: str, **wanted: Any) -> None:
    """Write what is wanted of a node, beside what is asked of it already.

    All lies in one file, so that a node learns of everything by one small request.

    Args:
        root: Root of the store.
        node: Name of the node.
        wanted: What is wanted, by the fields of `backhaul.node.wants.Wants`.

    Raises:
        InputError: If no node has such a name.
    """
    wants = wants_for(root, node) | wanted
    replace(f"{root}/{wants_name(node)}", json.dumps({"schema": 1, **wants}).encode())


def require_name(node: str) -> None:
    """Do nothing if a node can have such a name.

    Raises:
        InputError: If none can.
    """
    if re.fullmatch(NAME, node) is None:
        raise InputError(f"{node!r}: is no name of a node")


def wants_for(root: str, node: str) -> dict[str, Any]:
    """Return what is asked of a node; only what has the right form counts.

    Raises:
        InputError: If no node has such a name.
    """
    require_name(node)
    data = read_bounded(f"{root}/{wants_name(node)}", 100 * MOST_WANTED)
    try:
        found = {} if data is None else dict(json.loads(data))
    except (ValueError, TypeError, RecursionError):
        found = {}
    named = found.get("frames")
    frames = [
        each
        for each in (named if isinstance(named, list) else [])
        if isinstance(each, str) and _DIGEST.fullmatch(each)
    ]
    others = {name: found[name] for name in ("keys", "ask") if isinstance(found.get(name), str)}
    return {"frames": frames, **others}
