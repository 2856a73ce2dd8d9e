"""Room that this process has: memory that its threads share, and processors."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """Room for an amount of something, which threads take and give back.

    Args:
        most: All of it; who wants more gets all, alone.
    """

    def __init__(self, most: int) -> None:
        self._free = self._most = most
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """Wait until there is room, and take it within the block."""
        wanted = min(amount, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


FILE_BYTES = Room(128 * 2**20)
"""Of image files that are read at a time; it is taken before `PIXELS`."""
PIXELS = Room(60_000_000)
"""Of images that are decoded at a time."""


def processors() -> int:
    """Return how many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1
