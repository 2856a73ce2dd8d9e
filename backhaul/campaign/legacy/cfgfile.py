"""Read ``key = value`` files whose parents are named by ``inherit``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backhaul.errors import InputError
from backhaul.untrusted import one_line, read_text, user_path

INHERIT = "inherit"
_SETTING = re.compile(r"([A-Za-z]\w*)\s*=(.*)")
_COMMENT = re.compile(r"(?:^|\s)#")


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting.

    Args:
        key: Its name.
        value: Its text, without comment.
        comment: The comment behind it, empty for none.
        file: The file it was written in, a parent maybe.
        line: Its line there, from 1.
    """

    key: str
    value: str
    comment: str
    file: Path
    line: int

    @property
    def place(self) -> str:
        """Where it was written, as errors say it."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Parent:
    """A file that another one inherits from.

    Args:
        entry: The setting that names it.
        path: The file.
        beside: Whether it was found from that setting's file, not the working directory.
    """

    entry: Entry
    path: Path
    beside: bool


@dataclass(frozen=True, slots=True)
class Cfg:
    """A file with all that it inherits.

    Args:
        path: The file.
        entries: Settings by key; a child's win over its parents'.
        parents: The files it inherits from, nearest first.
    """

    path: Path
    entries: Mapping[str, Entry]
    parents: tuple[Parent, ...] = ()


def read_cfg(path: Path) -> Cfg:
    """Return the settings of a file, over those of its parents.

    ``inherit`` names a parent relative to the working directory, as the earlier tool had it,
    or else relative to the file that says so.

    Raises:
        InputError: If a file cannot be read, a line is neither a setting nor a comment, a key
            is given twice in one file, or files inherit from each other in a circle.
    """
    return _read(path, ())


def _read(path: Path, children: tuple[Path, ...]) -> Cfg:
    chain = (*children, path)
    if os.path.realpath(path) in map(os.path.realpath, children):
        raise InputError(f"{path}: inherits from itself: {' -> '.join(map(str, chain))}")
    own = _own(path)
    entry = own.pop(INHERIT, None)
    if entry is None:
        return Cfg(path, own)
    parent = _parent(entry)
    above = _read(parent.path, chain)
    return Cfg(path, {**above.entries, **own}, (parent, *above.parents))


def _own(path: Path) -> dict[str, Entry]:
    lines = read_text(path).splitlines()
    entries: dict[str, Entry] = {}
    for number, text in enumerate(lines, start=1):
        line = text.strip()
        if not line or line[0] in "#;[":
            continue
        setting = _SETTING.fullmatch(line)
        if setting is None:
            raise InputError(f"{path}:{number}: expected key = value")
        key, rest = setting.groups()
        if key in entries:
            raise InputError(f"{path}:{number}: {key} was set before, in {entries[key].place}")
        value, *comment = (part.strip() for part in _COMMENT.split(rest, maxsplit=1))
        entries[key] = Entry(key, value, "".join(comment), path, number)
    return entries


def _path(entry: Entry) -> Path:
    try:
        return user_path(entry.value)
    except InputError as error:
        raise InputError(f"{entry.place}: {entry.key}: {error}") from None


def _parent(entry: Entry) -> Parent:
    named = _path(entry)
    for candidate, beside in ((named, False), (entry.file.parent / named, True)):
        if os.path.isfile(candidate):  # noqa: PTH113 - raises nothing for what is no name
            return Parent(entry, candidate, beside)
    raise InputError(
        f"{entry.place}: inherit: {one_line(entry.value)}: no such file, neither from "
        f"{Path.cwd()} nor from {entry.file.parent.resolve()}"
    )
