"""Uploads staged on a Waggle node: one folder an upload, with files data and meta."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backhaul.node.sources.folder import MOST_BYTES, SUFFIXES, next_scan_s
from backhaul.node.sources.source import Shot, name_of
from backhaul.node.sources.taken import Done, Taken
from backhaul.untrusted import read_bytes

_UPLOAD = re.compile(r"(\d{10,19})-([0-9a-f]{40})")
_MOST_META = 100_000
_NS = 1_000_000_000


class WaggleSource:
    """Images in folders ``TIMESTAMP-SHA1``, by time; each is taken once, and left as it is.

    ``TIMESTAMP`` is in nanoseconds. ``data`` is the file, ``meta`` its description (JSON); an
    upload without either is not complete.

    Args:
        folder: The folder of the uploads, with all folders below.
        taken: What was taken before.
    """

    is_over = False

    def __init__(self, folder: Path, taken: Taken) -> None:
        self._folder, self._taken = folder, taken
        self._known, self._done = taken.taken(), Done(taken)
        self._ready: deque[Shot] = deque()
        self._due_s = float("-inf")

    def next(self) -> Shot | None:
        """Return the next upload that is complete."""
        self._done.all()
        if not self._ready and time.monotonic() >= self._due_s:
            self._scan()
        if not self._ready:
            return None
        shot = self._ready.popleft()
        self._known[shot.name] = shot.version
        return self._done.later(shot)

    def wait_s(self) -> float:
        """Return after how many seconds the folder is looked through again."""
        return 0.0 if self._ready else max(self._due_s - time.monotonic(), 0.0)

    def passed(self) -> int:
        """Return 0: uploads wait."""
        return 0

    def state(self) -> str:
        """Return what is wrong with the folder; empty if nothing is."""
        return "" if self._folder.is_dir() else f"{self._folder}: no folder"

    def close(self) -> None:
        """Let the last upload be done with."""
        self._done.all()

    def _scan(self) -> None:
        began_s = time.monotonic()
        found = {shot.name: shot for shot in self._uploads()}
        gone = [name for name in self._known if name not in found]
        if gone and found:
            self._taken.forget_taken(gone)
            for name in gone:
                del self._known[name]
        new = [shot for name, shot in found.items() if name not in self._known]
        self._ready.extend(sorted(new, key=lambda shot: (shot.captured_s, shot.name)))
        self._due_s = next_scan_s(began_s)

    def _uploads(self) -> Iterator[Shot]:
        for folder in self._folder.rglob("*-*"):
            parsed = _UPLOAD.fullmatch(folder.name)
            data, meta = folder / "data", folder / "meta"
            if parsed is None or not data.is_file() or not meta.is_file():
                continue
            if not _original(meta).lower().endswith(SUFFIXES):
                continue
            yield Shot(
                name_of(folder, self._folder),
                int(parsed[1]) / _NS,
                lambda data=data: read_bytes(data, MOST_BYTES),  # type: ignore[misc]
                data.stat().st_size,
                parsed[2],
            )


def _original(meta: Path) -> str:
    """Return the name that the file had, as its description says; empty if it says none."""
    try:
        known: Any = json.loads(read_bytes(meta, _MOST_META))
        return str(known["labels"]["filename"])
    except (ValueError, KeyError, TypeError, OSError):
        return ""
