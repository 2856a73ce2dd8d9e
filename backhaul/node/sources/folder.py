"""Frames that something else writes into a folder."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from backhaul.node.sources.source import Shot, name_of
from backhaul.node.sources.taken import Done, Taken
from backhaul.untrusted import one_line, read_bytes

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MOST_BYTES = 100_000_000
SCAN_S = 1.0
REST = 20
"""A folder is left alone for so many times as long as it took to look through it."""


class FolderSource:
    """Image files in a folder and all below, by name; each is taken once, and left as it is.

    A file is taken once it has not changed for a while. Links are not followed.

    Args:
        folder: The folder.
        settle_s: How long a file must not have changed.
        taken: What was taken before.
    """

    is_over = False

    def __init__(self, folder: Path, settle_s: float, taken: Taken) -> None:
        self._folder, self._settle_s, self._taken = folder, settle_s, taken
        self._known, self._done = taken.taken(), Done(taken)
        self._ready: deque[Shot] = deque()
        self._due_s = float("-inf")
        self._problem = ""

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
        if self._ready:
            return 0.0
        return max(self._due_s - time.monotonic(), 0.0)

    def passed(self) -> int:
        """Return 0: files wait."""
        return 0

    def state(self) -> str:
        """Return what is wrong with the folder; empty if nothing is."""
        return self._problem

    def close(self) -> None:
        """Let the last file be done with."""
        self._done.all()

    def _scan(self) -> None:
        began_s = time.monotonic()
        found = dict(self._files())
        gone = [name for name in self._known if name not in found]
        if gone and found:
            self._taken.forget_taken(gone)
            for name in gone:
                del self._known[name]
        new = (shot for name, shot in found.items() if self._known.get(name) != shot.version)
        self._ready.extend(sorted(new, key=lambda shot: shot.name))
        self._due_s = next_scan_s(began_s)

    def _files(self) -> Iterator[tuple[str, Shot]]:
        self._problem = ""
        now = time.time()
        for folder, below, files in os.walk(self._folder, onerror=self._note):
            below[:] = [name for name in below if not name.startswith(".")]
            for file in files:
                path = Path(folder, file)
                if not _is_image(file) or path.is_symlink():
                    continue
                try:
                    status = path.stat()
                except OSError:
                    continue
                if now - self._settle_s < status.st_mtime <= now + 60:
                    continue
                name = name_of(path, self._folder)
                version = f"{status.st_mtime_ns}-{status.st_size}"
                yield (
                    name,
                    Shot(
                        name,
                        status.st_mtime,
                        lambda path=path: read_bytes(path, MOST_BYTES),  # type: ignore[misc]
                        status.st_size,
                        version,
                    ),
                )

    def _note(self, error: OSError) -> None:
        self._problem = one_line(f"{error.filename}: {error.strerror}")


def next_scan_s(began_s: float) -> float:
    """Return when a folder is looked through again, by the monotonic clock.

    Of a folder with very many files that is seldom: most of the time is for other things.

    Args:
        began_s: When it was begun this time.
    """
    now_s = time.monotonic()
    return now_s + max(SCAN_S, REST * (now_s - began_s))


def _is_image(file: str) -> bool:
    return file.lower().endswith(SUFFIXES) and not file.startswith(".")
