"""Home as a folder: a mounted share, or one that rsync or a person carries home."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from backhaul.errors import InputError
from backhaul.untrusted import TooLargeError
from backhaul.uplink.body import PIECE_BYTES, opened
from backhaul.uplink.home import (
    MOST_BYTES,
    Downloaded,
    Got,
    HomeRefusedError,
    LinkDownError,
    Put,
    Traffic,
    checked_name,
)
from backhaul.uplink.resume import Partial, sync_folder, synced
from backhaul.uplink.wire import Meter

_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class FolderHome:
    """A folder; see `Home`. Bytes are those of the files, since nobody sees what carries them.

    Args:
        root: The folder, which is not made here: what is not mounted is away.
    """

    root: Path
    _meter: Meter = field(default_factory=Meter, init=False)

    @property
    def traffic(self) -> Traffic:
        """Bytes of all files so far."""
        return self._meter.traffic

    def put(self, name: str, data: bytes | Path, *, replace: bool = True) -> Put:
        """Store a file, see `Home.put`: it is there after a loss of power, and whole."""
        before = self.traffic
        with opened(data) as body, self._explaining(name):
            place = self._place(name)
            if not replace and place.exists():
                return Put(Traffic(), was_there=True)
            self._make(place.parent)
            hidden = place.with_name(f".{place.name}.new")
            try:
                with hidden.open("wb") as file:
                    for piece in body.pieces():
                        file.write(piece)
                    synced(file)
                hidden.replace(place)
            except BaseException:
                with suppress(OSError):  # the first error says why
                    hidden.unlink()
                raise
            sync_folder(place.parent)
            self._meter.up_bytes += body.n_bytes
        return Put(self.traffic - before)

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has, see `Home.size`."""
        with self._opened(name) as file:
            return None if file is None else os.fstat(file.fileno()).st_size

    def get(
        self, name: str, known: str | None = None, most_bytes: int = MOST_BYTES
    ) -> Got | None:
        """Return a file's content, see `Home.get`."""
        with self._opened(name) as file:
            if file is None:
                return None
            etag = _etag(file)
            if etag == known:
                return Got(etag, None)
            return Got(etag, b"".join(self._pieces(file, name, most_bytes)))

    def download(
        self, name: str, target: Path, most_bytes: int, known: str | None = None
    ) -> Downloaded | None:
        """Copy a file, see `Home.download`."""
        with self._opened(name) as file:
            if file is None:
                return None
            etag = _etag(file)
            if etag == known:
                return Downloaded(etag, is_new=False)
            partial = Partial(target)
            start = file.seek(partial.start if partial.etag == etag else 0)
            partial.receive(etag, start, self._pieces(file, name, most_bytes))
            return Downloaded(etag, is_new=True)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _place(self, name: str) -> Path:
        place = self.root / checked_name(name)
        if not place.resolve().is_relative_to(self.root.resolve()):
            raise InputError(f"{place}: leads out of {self.root}")
        return place

    def _make(self, folder: Path) -> None:
        """Make a folder below the root, so that it outlives the loss of power."""
        self.root.stat()
        missing = list(takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            sync_folder(each.parent)

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO | None]:
        """Give a file of home's, open to be read; None = there is none."""
        with self._explaining(name):
            self.root.stat()
            place = self._place(name)
            file = place.open("rb") if place.is_file() else None
        if file is None:
            yield None
            return
        with file:
            yield file

    def _pieces(self, file: BinaryIO, name: str, most_bytes: int) -> Iterator[bytes]:
        n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes > most_bytes:
            raise TooLargeError(name, n_bytes, most_bytes)
        with self._explaining(name):
            while piece := file.read(PIECE_BYTES):
                self._meter.down_bytes += len(piece)
                yield piece

    @contextmanager
    def _explaining(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = f"{self.root / name}: {error.strerror or type(error).__name__}"
            if error.errno in _REFUSALS:
                raise HomeRefusedError(said) from error
            raise LinkDownError(said) from error


def _etag(file: BinaryIO) -> str:
    status = os.fstat(file.fileno())
    return f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
