"""What was seen in images before, so that an image is decoded once and not at every look.

It lies in the user's cache folder of this machine, one SQLite file for all data sets and
campaigns: never in the data, and nothing is lost with it. A file is known again by its path,
size, inode and the times (in nanoseconds) of its last change of content and of status, the
latter of which no program can set; any other file by the SHA-256 of its bytes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from backhaul.data.decoding import Decoded, decoder_version
from backhaul.storage.cachefolder import cache_folder

_FILE = "images-1.sqlite"
"""Its number changes with its tables or with `likeness_hash`."""
_MOST_ROWS = 5_000_000  # of a table, about a gigabyte; the oldest go first
_SETTLED_NS = (
    2_000_000_000  # the coarsest clock of a file system: a later change could not show
)
_WAIT_S = 10.0  # for another process that writes
_SIGN = 1 << 63  # integers of SQLite are signed

_TABLES = """
CREATE TABLE IF NOT EXISTS files
  (number INTEGER PRIMARY KEY, place TEXT UNIQUE, state TEXT, image_id TEXT);
CREATE TABLE IF NOT EXISTS images
  (number INTEGER PRIMARY KEY, image_id TEXT, decoder TEXT, width INTEGER, height INTEGER,
   likeness INTEGER, UNIQUE (image_id, decoder));
"""
_PUT_FILE = (
    "REPLACE INTO files (place, state, image_id) VALUES (?, ?, ?)",
    "DELETE FROM files WHERE number <= (SELECT max(number) FROM files) - ?",
)
_PUT_IMAGE = (
    "REPLACE INTO images (image_id, decoder, width, height, likeness) VALUES (?, ?, ?, ?, ?)",
    "DELETE FROM images WHERE number <= (SELECT max(number) FROM images) - ?",
)


class Version(NamedTuple):
    """One version of a file: where it lies, what changes with its content, its length."""

    place: str
    state: str
    size_bytes: int


class Seen(NamedTuple):
    """What was seen in an image of a file."""

    image_id: str
    decoded: Decoded


def version_on_disk(path: str) -> Version | None:
    """Return the version of a file of this disk.

    None if there is no file, or it changed so lately that a later change could have the same
    times.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every image
    except (OSError, ValueError):
        return None
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    if changed > time.time_ns() - _SETTLED_NS:
        return None
    state = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"

    place = os.path.abspath(path)  # noqa: PTH100 - as above
    return Version(place, state, status.st_size)


@dataclass
class Memory:
    """Remembers what was seen in images; may be used by several threads and processes.

    Args:
        folder: Where it lies.

    Attributes:
        trouble: Why it cannot be used, or only to look; None as long as it can.
    """

    folder: Path
    trouble: str | None = None
    _decoder: str = field(default_factory=decoder_version)
    _one: Lock = field(default_factory=Lock)
    _tables: sqlite3.Connection | None = None

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._tables = sqlite3.connect(
                self.folder / _FILE, timeout=_WAIT_S, check_same_thread=False
            )
            self._tables.execute("PRAGMA synchronous = OFF")  # a lost one is computed again
            self._tables.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def of_files(self, versions: Sequence[Version | None]) -> list[Seen | None]:
        """Return what was seen in each of these versions of files, None for an unknown one."""
        ask = (
            "SELECT image_id, width, height, likeness FROM files JOIN images USING (image_id) "
            "WHERE place = ? AND state = ? AND decoder = ?"
        )
        found = self._ask(
            ask, [each and (each.place, each.state, self._decoder) for each in versions]
        )
        return [None if row is None else Seen(row[0], _decoded(*row[1:])) for row in found]

    def of_image(self, image_id: str) -> Decoded | None:
        """Return what was seen in an image with this content, None if it was not looked at."""
        ask = "SELECT width, height, likeness FROM images WHERE image_id = ? AND decoder = ?"
        (row,) = self._ask(ask, [(image_id, self._decoder)])
        return None if row is None else _decoded(*row)

    def add(self, found: Sequence[tuple[Version, Seen]]) -> None:
        """Remember what was seen."""
        images = [
            (seen.image_id, self._decoder, width, height, likeness - _SIGN)
            for _, seen in found
            for width, height, likeness in [seen.decoded]
        ]
        files = [(version.place, version.state, seen.image_id) for version, seen in found]
        with self._one:
            if self._tables is None or self.trouble is not None:
                return
            try:
                with self._tables:
                    for rows, put, prune in ((images, *_PUT_IMAGE), (files, *_PUT_FILE)):
                        self._tables.executemany(put, rows)
                        self._tables.execute(prune, (_MOST_ROWS,))
            except sqlite3.Error as error:
                self.trouble = self._why(error)

    def _ask(self, ask: str, values: Sequence[tuple[str, ...] | None]) -> list[Any]:
        with self._one:
            if self._tables is None:
                return [None] * len(values)
            try:
                return [
                    None if each is None else self._tables.execute(ask, each).fetchone()
                    for each in values
                ]
            except sqlite3.Error as error:
                self._give_up(error)
                return [None] * len(values)

    def close(self) -> None:
        """Close its file."""
        with self._one:
            if self._tables is not None:
                self._tables.close()
            self._tables = None

    def _give_up(self, error: Exception) -> None:
        self.trouble = self._why(error)
        if self._tables is not None:
            with suppress(sqlite3.Error):
                self._tables.close()
        self._tables = None

    def _why(self, error: Exception) -> str:
        reason = getattr(error, "strerror", None) or error
        return (
            f"{self.folder / _FILE}: cannot be used ({reason}), so that images will be decoded "
            "again next time"
        )


def _decoded(width: int, height: int, likeness: int) -> Decoded:
    return Decoded(width, height, likeness + _SIGN)


@contextmanager
def machine_memory() -> Iterator[Memory]:
    """Give the memory of this machine's user."""
    memory = Memory(cache_folder())
    try:
        yield memory
    finally:
        memory.close()
