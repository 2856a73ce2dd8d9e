"""Whether files on this disk are those that were written: cheaply, as most never change.

A file whose digest was found right is marked with it, its size and the time of its last change.
As long as these are as marked, the file is not read again. The mark is an extended attribute,
which goes with the file and away with it; where a disk has none, it is kept by this process.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_MARK = "user.backhaul.verified"
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_marks: dict[str, bytes] = {}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_intact(path: str, digest: str) -> bool:
    """Return whether a file is there, with the content that its digest names.

    Args:
        path: The file.
        digest: The SHA-256 of its content, or how that begins.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every image
        state = f"{status.st_size} {status.st_mtime_ns}"
        known, _, marked = _mark_of(path).partition(b" ")
        if marked == state.encode() and known.startswith(digest.encode()):
            return True
        found = sha256_of(Path(path))
    except _GONE:
        return False
    if not found.startswith(digest):
        return False
    _set_mark(path, f"{found} {state}".encode())
    return True


def _mark_of(path: str) -> bytes:
    if path in _marks or not hasattr(os, "getxattr"):
        return _marks.get(path, b"")
    try:
        return os.getxattr(path, _MARK)
    except _GONE:
        raise
    except OSError:  # not marked yet, or the disk has no marks
        return b""


def _set_mark(path: str, mark: bytes) -> None:
    try:
        os.setxattr(path, _MARK, mark)
    except (AttributeError, OSError):  # no such system, disk or right
        _marks[path] = mark
