"""The store that a run's folder lies in, which may have been moved since it was written."""

from __future__ import annotations

from pathlib import Path

from backhaul.errors import InputError

INTERNAL = ".backhaul"


def store_of(folder: str, name: str) -> str:
    """Return the root of the store in which the folder of the run `name` lies.

    Of a folder at an address, such as s3://, only the address is looked at.

    Raises:
        InputError: If it lies in none.
    """
    root = root_above(folder, name)
    there = (Path(root) / INTERNAL).is_dir() if "://" not in folder else root
    if not there:
        raise InputError(
            f"{folder}: expected in its store, with {INTERNAL} two levels up, which holds the "
            "checkpoints and images"
        )
    return root


def root_above(folder: str, name: str) -> str:
    """Return where the root of the store is, if the folder of the run `name` lies in one.

    Empty for an address with nothing above it.
    """
    levels = 2 + name.count("/")
    if "://" in folder:
        scheme, _, path = folder.partition("://")
        parts = path.split("/")[:-levels]
        return f"{scheme}://{'/'.join(parts)}" if parts else ""
    above = Path(folder).resolve().parents
    return above[min(levels, len(above)) - 1].as_posix()
