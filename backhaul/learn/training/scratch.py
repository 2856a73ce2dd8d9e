"""Temporary folders of trainings; those of killed processes are removed by later ones."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "backhaul-train-"
_LOCK = "in-use"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder on the local disk that is removed after the block.

    Folders of processes that were killed are removed first: their locks are free.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{_LOCK}"):
        with suppress(OSError):  # of another user, or another process clears it, too
            _remove_unused(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, _locked(Path(name)) as folder:
        yield folder


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    with (folder / f"{_LOCK}.new").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(lock.name).rename(folder / _LOCK)  # never there without being locked
        yield folder


def _remove_unused(lock: Path) -> None:
    with lock.open("r") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.parent)
