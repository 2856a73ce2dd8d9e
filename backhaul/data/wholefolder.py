"""A folder of files that appears whole or not at all, and is known again by its settings."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backhaul.errors import InputError
from backhaul.storage.intact import is_intact, sha256_of

CONTENTS = "contents.json"
"""The file with the SHA-256 of each other file."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a folder is made.

    Args:
        record: Name of the file with the settings; written last, it marks the folder as whole.
        settings: Content of that file: equal settings make equal folders.
        write: Writes all other files into a new folder, which it makes.
    """

    record: str
    settings: str
    write: Callable[[Path], None]


def write_whole(folder: Path, recipe: Recipe) -> None:
    """Make a folder, which appears whole or not at all; one of these settings is left as it is.

    Raises:
        InputError: If there is something else in `folder`.
    """
    if _is_there(folder, recipe):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        whole = Path(temporary) / "whole"
        recipe.write(whole)
        files = sorted(path for path in whole.rglob("*") if path.is_file())
        digests = {path.relative_to(whole).as_posix(): sha256_of(path) for path in files}
        (whole / CONTENTS).write_text(json.dumps(digests), encoding="utf-8")
        (whole / recipe.record).write_text(recipe.settings, encoding="utf-8")
        try:
            whole.rename(folder)
        except OSError:
            if not _is_there(folder, recipe):  # another process may have been faster
                raise


def is_whole(folder: Path, recipe: Recipe) -> bool:
    """Return whether a folder was made of these settings, and has its files as written."""
    if not _has_record(folder, recipe):
        return False
    contents = folder / CONTENTS
    if not contents.is_file():  # an earlier version wrote them
        return True
    try:
        digests = json.loads(contents.read_bytes())
        return all(is_intact(str(folder / name), sha256) for name, sha256 in digests.items())
    except (AttributeError, TypeError, ValueError):  # this file is damaged itself
        return False


def _has_record(folder: Path, recipe: Recipe) -> bool:
    record = folder / recipe.record
    return record.is_file() and record.read_bytes() == recipe.settings.encode()


def _is_there(folder: Path, recipe: Recipe) -> bool:
    if _has_record(folder, recipe):
        return True
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: expected a new or empty folder, or these very scenes")
    return False
