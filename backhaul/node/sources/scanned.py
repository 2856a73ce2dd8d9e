"""What sources have in common whose files something else writes into a folder."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable

from backhaul.node.sources.source import Shot
from backhaul.node.sources.taken import Done, Taken

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MOST_BYTES = 100_000_000
SCAN_S = 1.0
REST = 20
"""A folder is left alone for so many times as long as it took to look through it."""


class ScannedSource(ABC):
    """Files that are looked for again and again; each is taken once, and left as it is.

    Args:
        taken: What was taken before.
    """

    is_over = False

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._known, self._done = taken.taken(), Done(taken)
        self._ready: deque[Shot] = deque()
        self._due_s = float("-inf")

    @abstractmethod
    def found(self) -> Iterable[Shot]:
        """Return all files that are complete, in the order in which they are taken."""

    @abstractmethod
    def state(self) -> str:
        """Return what is wrong with the folder; empty if nothing is."""

    def next(self) -> Shot | None:
        """Return the next file that is complete."""
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
        """Return 0: files wait."""
        return 0

    def close(self) -> None:
        """Let the last file be done with."""
        self._done.all()

    def _scan(self) -> None:
        began_s = time.monotonic()
        found = {shot.name: shot for shot in self.found()}
        gone = [name for name in self._known if name not in found]
        if gone and found:
            self._taken.forget_taken(gone)
            for name in gone:
                del self._known[name]
        new = (shot for name, shot in found.items() if self._known.get(name) != shot.version)
        self._ready.extend(new)
        now_s = time.monotonic()  # of very many files seldom: most of the time is for others
        self._due_s = now_s + max(SCAN_S, REST * (now_s - began_s))
