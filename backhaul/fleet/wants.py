"""Frames that home asks nodes for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from backhaul.errors import InputError
from backhaul.storage.conditional import read_bounded
from backhaul.storage.objects import replace

MOST_WANTED = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


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
    if _NODE.fullmatch(node) is None:
        raise InputError(f"{node!r}: is no name of a node")
    for digest in digests:
        if _DIGEST.fullmatch(digest) is None:
            raise InputError(
                f"{digest!r}: expected the digest of a frame, 64 hexadecimal digits"
            )
    place = f"{root}/nodes/{node}/wants.json"
    if len(digests) > MOST_WANTED:
        raise InputError(f"{node}: {len(digests):,} frames, expected at most {MOST_WANTED:,}")
    known = [each for each in _known(place) if each not in set(digests)]
    wanted = [*known, *dict.fromkeys(digests)][-MOST_WANTED:]
    replace(place, json.dumps({"schema": 1, "frames": wanted}).encode())
    return len(wanted)


def _known(place: str) -> list[str]:
    data = read_bounded(place, 100 * MOST_WANTED)
    try:
        named = [] if data is None else json.loads(data)["frames"]
        return [each for each in named if isinstance(each, str) and _DIGEST.fullmatch(each)]
    except (ValueError, KeyError, TypeError):
        return []
