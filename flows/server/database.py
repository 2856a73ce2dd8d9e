"""The database of temporary Prefect servers: what Prefect's own views show of past runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL

from backhaul.layout import root_of
from backhaul.storage.damaged import set_aside

_SQLITE = "sqlite+aiosqlite:///"
_BESIDE = ("", "-wal", "-shm")


def set_damaged_database_aside() -> None:
    """Set a store's database aside if it is damaged; the next server makes a new one.

    A server would try again and again to use it, without a word.
    """
    place = str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value() or "").removeprefix(_SQLITE)
    if not root_of(place) or not Path(place).exists():  # it is the user's, or not there yet
        return
    if reason := _damage(place):
        for suffix in _BESIDE:
            if Path(f"{place}{suffix}").exists():
                set_aside(f"{place}{suffix}", f"no database that can be used ({reason})")


def _damage(place: str) -> str:
    """Return what is wrong with a database; empty if nothing is, or another process has it."""
    try:
        with closing(sqlite3.connect(place, timeout=1)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else str(found).splitlines()[-1]
