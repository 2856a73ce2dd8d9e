"""Where the data sets that lie outside a store are today, as far as this process knows.

A store says it in a file for each data set; what is read and written there is up to the caller.
"""

from __future__ import annotations

import json
from collections import defaultdict
from threading import Lock

from backhaul.errors import InputError

SCHEMA = 1


class DataRoots:
    """Data sets of stores by digest, and by where they lie."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._roots: dict[tuple[str, str], str] = {}
        self._used: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def of(self, store: str, digest: str) -> str | None:
        """Return where the data set with this digest lies; None if it is not known yet."""
        with self._lock:
            root = self._roots.get((store, digest))
            if root is not None:
                self._used[store][root] = digest
        return root

    def learn(self, store: str, digest: str, root: str) -> None:
        """Take a data set to lie at `root` from now on, and nowhere else."""
        with self._lock:
            kept = {k: other for k, other in self._used[store].items() if other != digest}
            self._used[store] = kept | {root: digest}
            self._roots[store, digest] = root

    def digests(self, store: str) -> dict[str, str]:
        """Return the digest of the data set at each place, the longest place first.

        Of several that lay at one place, as one that has grown since, it is the last that was
        asked for: a stage writes places that it has just read.
        """
        with self._lock:
            used = self._used[store].copy()
        return {root: used[root] for root in sorted(used, key=len, reverse=True)}


def encode_root(root: str) -> bytes:
    """Return what a store says of where a data set lies."""
    return json.dumps({"schema": SCHEMA, "root": root}).encode()


def decode_root(content: bytes, place: str) -> str:
    """Return the root in what `encode_root` wrote at `place`.

    Raises:
        InputError: If it says none, or a newer version of Backhaul wrote it.
    """
    try:
        record = json.loads(content)
    except Exception:  # whatever the parser raises
        record = None
    match record:
        case {"schema": int(schema), "root": str(root)} if schema <= SCHEMA:
            return root
        case {"schema": int(schema)} if schema > SCHEMA:
            reason = "was written by a newer version of Backhaul: use that version"
        case _:
            reason = "is damaged: start a campaign on that data set, which writes it again"
    raise InputError(f"{place}: says where a data set lies, but {reason}")
