"""Files that come in parts: what has come outlives a broken link, and the process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

_SUFFIX = ".part"
_QUOTE = quote('"')  # every ETag begins with it but those that promise less than equality
_MOST_NAME = 255  # bytes that file systems take


class Partial:
    """What has come so far of a file.

    It lies beside the file, hidden, and has the ETag of its version in its name: the two can
    never disagree, whenever the power goes.

    Args:
        target: Where the file is to lie.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.etag, self.start = "", 0
        for place in self._places():
            n_bytes = place.stat().st_size
            if n_bytes > 1:
                # The last byte comes again, so that there is always something to ask for.
                self.etag = unquote(place.name.removesuffix(_SUFFIX)[len(target.name) + 2 :])
                self.start = n_bytes - 1

    def receive(self, etag: str, start: int, pieces: Iterable[bytes]) -> None:
        """Write what comes, and put the file in its place once all has come.

        Args:
            etag: Of its version.
            start: The byte at which the pieces begin: 0, or `self.start`.
            pieces: What comes.
        """
        place = self._place(etag)
        for other in self._places():
            if other != place or not start:
                other.unlink()
        with place.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            for piece in pieces:
                file.write(piece)
            synced(file)
        place.replace(self._target)
        sync_folder(self._target.parent)

    def forget(self) -> None:
        """Remove what has come."""
        for place in self._places():
            place.unlink()
        self.etag, self.start = "", 0

    def _places(self) -> list[Path]:
        found = self._target.parent.glob(f".{escape(self._target.name)}.{_QUOTE}*{_SUFFIX}")
        return sorted(found)

    def _place(self, etag: str) -> Path:
        """Return where parts of a version lie; those of one that no name can say begin anew."""
        version = quote(etag, safe="")
        name = f".{self._target.name}.{version}{_SUFFIX}"
        if not version.startswith(_QUOTE) or len(name.encode()) > _MOST_NAME:
            name = f".{self._target.name}.{_SUFFIX}"
        return self._target.with_name(name)


def synced(file: BinaryIO) -> None:
    """Let a file outlive the loss of power."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Let the names in a folder outlive the loss of power."""
    with _handle(folder) as handle:
        os.fsync(handle)


@contextmanager
def _handle(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
