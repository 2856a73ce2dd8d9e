"""What lies in the folders of a store."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backhaul.storage.places import filesystem, of_one, patiently


def names_in(uri: str) -> list[str]:
    """Return the names of the files in a folder, sorted; empty if there is none."""
    return [stored.uri.rpartition("/")[2] for stored in files_in(uri)]


@patiently
def folders_in(uri: str) -> list[str]:
    """Return the names of the folders in a folder, sorted; empty if there is none.

    What lies in them is not listed, however much that is.
    """
    fs, path = filesystem(uri)
    try:
        return sorted(
            entry["name"].rstrip("/").rpartition("/")[2]
            for entry in fs.ls(path, detail=True)
            if entry["type"] == "directory"
        )
    except FileNotFoundError:
        return []


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a store.

    Args:
        uri: Where it is stored.
        size_bytes: Its length.
        modified: When it was written, seconds since 1970.
    """

    uri: str
    size_bytes: int
    modified: float


@patiently
def listing(uri: str) -> list[Stored]:
    """Return all files below a folder, sorted, hidden ones as well; empty if there is none."""
    fs, path = filesystem(uri)
    below = f"{path}/"
    return [
        Stored(f"{uri}/{name.removeprefix(below)}", int(entry["size"]), _modified(entry))
        for name, entry in sorted(fs.find(path, detail=True).items())
        if name.startswith(below) and entry["type"] == "file" and not name.endswith("/")
    ]


@patiently
def files_in(uri: str) -> list[Stored]:
    """Return the files in a folder, sorted, not those in folders below it; empty if none."""
    fs, path = filesystem(uri)
    try:
        return sorted(
            (
                Stored(f"{uri}/{name}", int(entry["size"]), _modified(entry))
                for entry in fs.ls(path, detail=True)
                if (name := entry["name"].rpartition("/")[2])
                and entry["type"] == "file"
                and not name.endswith(".partial")
            ),
            key=lambda stored: stored.uri,
        )
    except FileNotFoundError:
        return []


@patiently
def stored_at(uri: str) -> Stored | None:
    """Return what is known of one file that anybody may have put there; None if there is none.

    Raises:
        RefusedFileError: If the store refuses this file alone.
        StoreError: If the store cannot be used.
    """
    fs, path = filesystem(uri)
    try:
        entry = fs.info(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        if error.errno == errno.ELOOP:
            return None
        raise of_one(error, uri) from error
    if entry["type"] != "file":
        return None
    return Stored(uri, int(entry["size"]), _modified(entry))


def _modified(entry: dict[str, Any]) -> float:
    """Return the modification time in a file system's entry; now, if it has none."""
    if "mtime" in entry:
        return float(entry["mtime"])
    modified: datetime = entry.get("LastModified") or datetime.now(UTC)
    return modified.timestamp()
