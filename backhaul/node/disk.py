"""The folder of waiting frames: bounded, and whole after a loss of power."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from backhaul.node.container import SUFFIX

QUARANTINE = "quarantine"
MOST_QUARANTINED = 20
MOST_QUARANTINED_BYTES = 4_000_000
BALLAST, BALLAST_BYTES = "ballast", 1_000_000
"""A file that is there to be removed: a journal needs room to say that frames are gone."""


class Disk(Protocol):
    """Where the files of frames lie. A file is on the disk for good once `write` returns."""

    def write(self, digest: str, data: bytes) -> None:
        """Write the file of a frame, whole or not at all.

        Raises:
            OSError: If there is no room for it, or the disk fails.
        """
        ...

    def read(self, digest: str, n_bytes: int | None = None) -> bytes:
        """Return the file of a frame, or its first `n_bytes`.

        Raises:
            OSError: If it is not there, or cannot be read.
        """
        ...

    def remove(self, digest: str) -> None:
        """Remove the file of a frame, if it is there."""
        ...

    def quarantine(self, digest: str) -> None:
        """Put the file of a frame away, for somebody to look at it; only the last few stay."""
        ...

    def names(self) -> Iterator[str]:
        """Yield the digests of all frames that have a file."""
        ...

    def flush(self) -> None:
        """Let removals, and the names of files that were written, be on the disk for good."""
        ...

    def release(self) -> None:
        """Free a little room that was kept for when the disk is full."""
        ...


class FolderDisk:
    """Files of frames in a folder on a disk.

    Args:
        folder: The folder; it is made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._away = folder.with_name(QUARANTINE)
        self._ballast = folder.with_name(BALLAST)
        folder.mkdir(parents=True, exist_ok=True)
        self._changed = False
        for left in folder.glob(".*"):
            left.unlink(missing_ok=True)
        self._reserve()

    def write(self, digest: str, data: bytes) -> None:
        """Write the file of a frame, whole or not at all.

        Its name is for good with the next `flush`.
        """
        draft = self._folder / f".{digest}"
        if not self._ballast.exists() and not self._reserve():
            raise OSError(errno.ENOSPC, "no room but what is kept for the journal")
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path(digest))
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self._changed = True

    def read(self, digest: str, n_bytes: int | None = None) -> bytes:
        """Return the file of a frame, or its first `n_bytes`."""
        with self._path(digest).open("rb") as file:
            return file.read(-1 if n_bytes is None else n_bytes)

    def remove(self, digest: str) -> None:
        """Remove the file of a frame, if it is there."""
        self._path(digest).unlink(missing_ok=True)
        self._changed = True

    def quarantine(self, digest: str) -> None:
        """Put the file of a frame away; only the last few stay."""
        self._away.mkdir(exist_ok=True)
        try:
            self._path(digest).replace(self._away / f"{digest}{SUFFIX}")
        except FileNotFoundError:
            return
        self._changed = True
        every = sorted(self._away.iterdir(), key=lambda path: path.stat().st_mtime)
        size_bytes = 0
        for place, old in enumerate(reversed(every)):
            size_bytes += old.stat().st_size
            if place >= MOST_QUARANTINED or size_bytes > MOST_QUARANTINED_BYTES:
                old.unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """Yield the digests of all frames that have a file."""
        return (path.stem for path in self._folder.glob(f"*{SUFFIX}"))

    def flush(self) -> None:
        """Let removals, and the names of files that were written, be on the disk for good."""
        if not self._ballast.exists():
            self._reserve()
        if self._changed:
            handle = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            self._changed = False

    def release(self) -> None:
        """Free the room that was kept for a full disk; `flush` takes it again."""
        self._ballast.unlink(missing_ok=True)

    def _reserve(self) -> bool:
        """Keep a little room, without which nothing could be removed from a full disk.

        Returns:
            Whether there is so much.
        """
        try:
            self._ballast.write_bytes(bytes(BALLAST_BYTES))
        except OSError:
            self._ballast.unlink(missing_ok=True)
            return False
        return True

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}{SUFFIX}"
