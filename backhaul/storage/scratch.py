"""Temporary folders; those of killed processes are removed by later ones.

A folder is locked for as long as anybody uses it: its process, and what that has forked. So an
unlocked one was left behind.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PREFIX = "backhaul-tmp-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder on the local disk, for this user alone; it is removed at the end."""
    remove_abandoned()
    folder, lock = _new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> None:
    """Remove the folders of processes that were killed; those of other users stay."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # of another user, in use, or another process removes it, too
            if folder.lstat().st_uid == os.getuid():
                _remove_unused(folder)


@cache
def process_folder() -> Path:
    """Return a folder for this user alone that stays until this process ends."""
    folder, _ = _new_folder()
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not at the end of a fork of it
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def _new_folder() -> tuple[Path, int]:
    """Return a new folder, and the open lock on it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # just removed by another process, as it was not locked yet
            continue
        with suppress(OSError):  # a disk without locks: nobody else can lock it, either
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)


def _remove_unused(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)
