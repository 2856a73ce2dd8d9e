"""Walk through folders on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def walk_folders(root: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below `root`, and `root` itself, once, with the names of its files.

    Hidden folders are left out. Links are followed, except those that lead back up.

    Args:
        root: The folder; one below it that cannot be read is passed over.
    """
    seen = set()
    for place, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield place, names


def plain_place(folder: str | Path) -> str:
    """Return the absolute path of a folder, without ``..``.

    Links on the way stay in it, unless ``..`` comes after one: then what it leads to counts.
    """
    place = os.path.abspath(folder)  # noqa: PTH100 - of pathlib it keeps `..`
    whole = Path(folder).absolute().as_posix()
    try:
        return place if Path(place).samefile(whole) else os.path.realpath(whole)
    except (OSError, ValueError):  # one of them is not there, or its name is none
        return os.path.realpath(whole) if os.path.exists(whole) else place  # noqa: PTH110
