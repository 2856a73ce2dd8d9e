"""The journal of a node: which frames wait, and where it stands, in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from backhaul.errors import InputError
from backhaul.node.frame import Frame
from backhaul.node.records import Memory, Window

NAME = "journal.sqlite"
_SCHEMA = 1
_COLUMNS = tuple(field.name for field in fields(Frame))
_FLAGS = tuple(field.name for field in fields(Frame) if isinstance(field.default, bool))
_TABLES = f"""
CREATE TABLE IF NOT EXISTS waiting ({", ".join(_COLUMNS)}, PRIMARY KEY (digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gone (digest TEXT PRIMARY KEY, number INTEGER, vector BLOB);
CREATE INDEX IF NOT EXISTS gone_by_number ON gone (number);
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (name TEXT PRIMARY KEY, version TEXT) WITHOUT ROWID;
"""
MOST_GONE = 5_000
"""Digests of frames that were sent or given up, so that they are not taken again."""
MOST_VECTORS = 1_000
"""Vectors of sent frames that are kept."""
_TIDY_EVERY = 500
_WINDOWS = TypeAdapter(list[Window])


class DamagedJournalError(Exception):
    """The journal cannot be read; the folder of frames has what is needed for a new one."""


class Journal:
    """The journal of a node. What is written counts from the next `commit` on.

    Args:
        path: Its file; a new one is begun if there is none.
        durable: Whether a commit waits until the disk has it; False only for simulations.

    Raises:
        DamagedJournalError: If it cannot be read.
        InputError: If a newer version wrote it; nothing is changed.
        sqlite3.OperationalError: If the disk is full or fails, or somebody else has it open;
            the journal is as it was.
    """

    def __init__(self, path: Path, durable: bool = True) -> None:
        self._removed = 0
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._open(durable)
        except InputError as error:
            self._base.close()
            raise InputError(f"{path}: {error}") from None
        except sqlite3.DatabaseError as error:
            self._base.close()
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise DamagedJournalError(f"{path}: {error}") from None

    def _open(self, durable: bool) -> None:
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        self._base.execute("PRAGMA wal_autocheckpoint=100")
        self._base.execute("PRAGMA journal_size_limit=1000000")
        (found,) = self._base.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        (schema,) = self._base.execute("PRAGMA user_version").fetchone()
        if schema > _SCHEMA:
            raise InputError(f"a newer version of Backhaul wrote it (schema {schema})")
        if schema < _SCHEMA:
            self._base.executescript(_TABLES)
            self._base.execute(f"PRAGMA user_version={_SCHEMA}")
        self._add_columns()

    def _add_columns(self) -> None:
        """Give frames of an older version the fields that they lack, with their defaults."""
        known = {row[1] for row in self._base.execute("PRAGMA table_info(waiting)")}
        for each in fields(Frame):
            if each.name not in known:
                value = int(each.default) if isinstance(each.default, bool) else each.default
                self._base.execute(
                    f"ALTER TABLE waiting ADD COLUMN {each.name} DEFAULT {value!r}"
                )

    def waiting(self) -> Iterator[Frame]:
        """Yield the frames that wait."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM waiting"  # noqa: S608 - names of fields
        for row in self._base.execute(query):
            frame = Frame(*row)
            flags = {name: bool(getattr(frame, name)) for name in _FLAGS}
            yield replace(frame, **flags)  # type: ignore[arg-type]

    def counts(self) -> dict[str, int]:
        """Return how many frames it has, by state."""
        asked = {
            "waiting": "FROM waiting WHERE NOT sent",
            "of these, home may have": "FROM waiting WHERE NOT sent AND doubtful",
            "sent, their sidecars not yet": "FROM waiting WHERE sent",
            "gone": "FROM gone",
            "files of the source": "FROM taken",
        }
        return {
            state: int(self._base.execute(f"SELECT count(*) {rows}").fetchone()[0])
            for state, rows in asked.items()
        }

    def gone(self) -> list[str]:
        """Return the digests of frames that were sent or given up, the oldest first."""
        rows = self._base.execute("SELECT digest FROM gone ORDER BY number")
        return [digest for (digest,) in rows]

    def sent_vectors(self) -> list[bytes]:
        """Return the vectors of frames that were sent, as they were given, the oldest first."""
        query = "SELECT vector FROM gone WHERE vector IS NOT NULL ORDER BY number"
        return [vector for (vector,) in self._base.execute(query)]

    def memory(self) -> Memory:
        """Return where the node stands.

        Raises:
            DamagedJournalError: If that cannot be read.
        """
        try:
            rows = dict(self._base.execute("SELECT name, value FROM memory"))
            memory = Memory.model_validate_json(rows.get("memory", "{}"))
            if "closed" in rows:
                memory.closed = _WINDOWS.validate_json(rows["closed"])
        except sqlite3.OperationalError:
            raise
        except (sqlite3.DatabaseError, ValidationError) as error:
            raise DamagedJournalError(str(error)) from None
        return memory

    def put(self, frame: Frame) -> None:
        """Let a frame wait, or change what is known of it."""
        self._begin()
        marks = ", ".join("?" * len(_COLUMNS))
        values = [getattr(frame, name) for name in _COLUMNS]
        into = f"waiting ({', '.join(_COLUMNS)})"
        self._base.execute(f"INSERT OR REPLACE INTO {into} VALUES ({marks})", values)  # noqa: S608

    def remove(self, digest: str, number: int, vector: bytes | None) -> None:
        """Let a frame be gone: sent, with its vector, or given up."""
        self._begin()
        self._base.execute("DELETE FROM waiting WHERE digest=?", (digest,))
        row = (digest, number, vector)
        self._base.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?)", row)
        self._removed += 1
        if self._removed % _TIDY_EVERY == 0:
            self._tidy(number)

    def _tidy(self, number: int) -> None:
        self._base.execute("DELETE FROM gone WHERE number < ?", (number - MOST_GONE,))
        newest = "SELECT number FROM gone WHERE vector IS NOT NULL ORDER BY number DESC"
        (oldest,) = self._base.execute(
            f"SELECT min(number) FROM ({newest} LIMIT {MOST_VECTORS})"  # noqa: S608 - ours
        ).fetchone()
        self._base.execute("UPDATE gone SET vector=NULL WHERE number < ?", (oldest or 0,))

    def remember(self, text: str, closed: str | None = None) -> None:
        """Keep where the node stands.

        Args:
            text: A `Memory` as JSON.
            closed: Its closed windows, which it does not have itself then; None = they are as
                they were.
        """
        self._begin()
        rows = [("memory", text), *([] if closed is None else [("closed", closed)])]
        self._base.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", rows)

    def taken(self) -> dict[str, str]:
        """Return the versions of a source's files that were taken, by name."""
        return dict(self._base.execute("SELECT name, version FROM taken"))

    def take(self, name: str, version: str) -> None:
        """Keep that a file of the source was taken."""
        self._begin()
        self._base.execute("INSERT OR REPLACE INTO taken VALUES (?, ?)", (name, version))

    def forget_taken(self, names: Iterable[str]) -> None:
        """Forget files of the source that are no longer there."""
        self._begin()
        self._base.executemany("DELETE FROM taken WHERE name=?", ((name,) for name in names))

    def commit(self) -> None:
        """Let all that was written since the last commit count, on the disk."""
        if self._base.in_transaction:
            self._base.execute("COMMIT")

    def close(self) -> None:
        """Close it; what was not committed does not count."""
        if self._base.in_transaction:
            self._base.execute("ROLLBACK")
        self._base.close()

    def _begin(self) -> None:
        if not self._base.in_transaction:
            self._base.execute("BEGIN")


def set_aside(path: Path) -> Path:
    """Move a damaged journal out of the way, and return where it is now.

    One that was set aside before is replaced, so that the folder stays bounded.
    """
    away = path.with_suffix(".damaged")
    path.replace(away)
    for name in _companions(path):
        name.unlink(missing_ok=True)
    return away


def _companions(path: Path) -> Sequence[Path]:
    return [path.with_name(path.name + ending) for ending in ("-wal", "-shm")]


def size_bytes(path: Path) -> int:
    """Return how many bytes the journal has on the disk."""
    every = [path, *_companions(path)]
    return sum(each.stat().st_size for each in every if each.exists())
