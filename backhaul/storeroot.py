"""The store that a run's folder lies in, which may have been moved since it was written."""

from __future__ import annotations

import re
from pathlib import Path

from backhaul.errors import InputError

INTERNAL = ".backhaul"


def store_of(folder: Path, name: str) -> Path:
    """Return the root of the store in which the folder of the run `name` lies.

    Raises:
        InputError: If it lies in none.
    """
    root = root_above(folder, name)
    if not (root / INTERNAL).is_dir():
        raise InputError(
            f"{folder}: expected in its store, with {INTERNAL} two levels up, which holds the "
            "checkpoints and images"
        )
    return root


def root_above(folder: Path, name: str) -> Path:
    """Return where the root of the store is, if the folder of the run `name` lies in one."""
    above = folder.resolve().parents
    return above[min(1 + name.count("/"), len(above) - 1)]


def moved(uri: str, root: Path) -> str:
    """Return where something in a store lies now that the root of the store is `root`."""
    below = re.fullmatch(rf".*/{re.escape(INTERNAL)}/(.*)", uri)
    if below is None or "://" in uri:
        return uri
    here = root.resolve() / INTERNAL / below[1]
    return here.as_posix() if here.exists() or not Path(uri).exists() else uri
