"""Read files that anybody may have put there: regular ones alone, and bounded."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from pydantic import ValidationError

from backhaul.errors import InputError

FilePath: TypeAlias = str | Path

MOST_BYTES = 16 * 2**20
"""Of a file about one thing: the labels of an image, a config, the record of a run."""
MOST_TABLE_BYTES = 4 * 2**30
"""Of a file about many: all labels of a data set, a list of images."""
_CHUNK_BYTES = 2**17
_MOST_NAME, _MOST_PLACE = 255, 4_000  # bytes that file systems take
_MOST_PATH = 1_000  # characters of one in an error
_CONTROL = re.compile(r"[\0-\x1f\x7f\ud800-\udfff]")  # and what is no UTF-8
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnreadableFileError(InputError):
    """A file that cannot be read, or not understood.

    Args:
        path: The file.
        reason: Why; it repeats nothing of the content.
    """

    def __init__(self, path: FilePath, reason: str) -> None:
        super().__init__(f"{one_line(str(path), _MOST_PATH)}: {reason}")
        self.path = str(path)
        self.reason = reason


class MissingFileError(UnreadableFileError):
    """There is no such file, and no link of that name."""


class DanglingLinkError(UnreadableFileError):
    """A link to nothing, or a file behind one."""

    def __init__(self, path: FilePath, link: str) -> None:
        what = "is a link" if link == str(path) else f"{one_line(link, _MOST_PATH)} is a link"
        super().__init__(path, f"{what} to nothing")


class TooLargeError(UnreadableFileError):
    """A file that is larger than files of its kind."""

    def __init__(self, path: FilePath, n_bytes: int, most_bytes: int) -> None:
        super().__init__(path, f"has {n_bytes:,} bytes, expected at most {most_bytes:,}")


def read_bytes(path: FilePath, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file; a link to one counts.

    Raises:
        MissingFileError: If nothing is there.
        UnreadableFileError: If it is a folder, a pipe, a device, a link to nothing, too large,
            or may not be read.
    """
    try:
        handle = _opened(path, most_bytes)
        try:
            data = _read_up_to(handle, most_bytes + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise _explained(path, error) from None
    if len(data) > most_bytes:  # of a file that has no length, or grew
        raise TooLargeError(path, len(data), most_bytes)
    return data


def _read_up_to(handle: int, most_bytes: int) -> bytes:
    """Return so many bytes of an open file, or all that it has."""
    parts = []
    while most_bytes and (part := os.read(handle, min(most_bytes, _CHUNK_BYTES))):
        parts.append(part)
        most_bytes -= len(part)
    return b"".join(parts)


def read_text(path: FilePath, most_bytes: int = MOST_BYTES) -> str:
    """Return the content of a regular file of UTF-8 text, without a byte order mark.

    Raises:
        MissingFileError: If nothing is there.
        UnreadableFileError: If it cannot be read, see `read_bytes`, or is no such text.
    """
    return text_of(path, read_bytes(path, most_bytes))


def text_of(path: FilePath, data: bytes) -> str:
    """Return the content of a file as text, see `read_text`.

    Raises:
        UnreadableFileError: If it is no UTF-8 text; `path` is where it was read.
    """
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        reason = f"expected UTF-8 text ({error.reason} at byte {error.start})"
        raise UnreadableFileError(path, reason) from None


@contextmanager
def open_file(path: FilePath, most_bytes: int = MOST_BYTES) -> Iterator[BinaryIO]:
    """Give a regular file, open to be read.

    Raises:
        MissingFileError: If nothing is there.
        UnreadableFileError: If it cannot be opened, see `read_bytes`, or be read.
    """
    try:
        with open(_opened(path, most_bytes), "rb") as file:
            yield file
    except UnicodeDecodeError:
        raise
    except (OSError, ValueError) as error:
        raise _explained(path, error) from None


def _opened(path: FilePath, most_bytes: int) -> int:
    """Return the handle of a regular file, opened to be read."""
    _require_regular(path, os.stat(path), most_bytes)  # opening a device may do something
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _require_regular(path, os.fstat(handle), most_bytes)
    except UnreadableFileError:
        os.close(handle)
        raise
    return handle


@contextmanager
def open_text(path: FilePath, most_bytes: int = MOST_TABLE_BYTES) -> Iterator[io.TextIOWrapper]:
    """Give a regular file of UTF-8 text, open to be read line by line, line ends as they are.

    Raises:
        MissingFileError: If nothing is there.
        UnreadableFileError: If it cannot be opened, see `read_bytes`, or is no such text.
    """
    try:
        with open_file(path, most_bytes) as file:
            yield io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, f"expected UTF-8 text ({error.reason})") from None


@contextmanager
def understanding(path: FilePath) -> Iterator[None]:
    """Turn whatever a parser raises within the block into an error of one line about the file.

    Raises:
        UnreadableFileError: In place of any exception but `InputError`, and pydantic's
            `ValidationError`, which says where and why.
    """
    try:
        yield
    except (InputError, ValidationError):
        raise
    except Exception as error:  # whatever it raises where it meets what nobody expected
        reason = f"cannot be understood ({type(error).__name__})"
        raise UnreadableFileError(path, reason) from error


def user_path(text: FilePath) -> Path:
    """Return a path that a person wrote, with ``~`` expanded.

    Raises:
        InputError: If no file can have it, or ``~`` names nobody.
    """
    path = str(text)
    if _CONTROL.search(path):
        raise InputError(f"{one_line(path)!r}: expected a path without control characters")
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{one_line(path)!r}: there is no such user") from None
    name = max(expanded.parts, key=len, default="")
    if len(name.encode()) > _MOST_NAME or len(str(expanded).encode()) > _MOST_PLACE:
        raise InputError(f"{one_line(path)!r}: is too long for a path")
    return expanded


def one_line(text: str, most: int = 300) -> str:
    """Return a text as a part of one line: bounded, and with what cannot be printed escaped."""
    short = text if len(text) <= most else f"{text[:most]}..."
    return short if short.isprintable() else "".join(map(_printable, short))


def _printable(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def _require_regular(path: FilePath, status: os.stat_result, most_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise UnreadableFileError(path, f"is {kind}, expected a file")
    if status.st_size > most_bytes:
        raise TooLargeError(path, status.st_size, most_bytes)


def _explained(path: FilePath, error: OSError | ValueError) -> InputError:
    if isinstance(error, InputError):
        return error
    if isinstance(error, ValueError):
        return UnreadableFileError(path, "is no name that a file can have")
    if isinstance(error, FileNotFoundError):
        link = _dangling(os.fspath(path))
        if link is None:
            return MissingFileError(path, "No such file or directory")
        return DanglingLinkError(path, link)
    return UnreadableFileError(path, error.strerror or type(error).__name__)


def _dangling(path: str) -> str | None:
    """Return the link to nothing that a missing file is, or lies behind; None without one."""
    place = path
    while place and not os.path.lexists(place):
        place, before = os.path.dirname(place), place
        if place == before:
            return None
    return place if os.path.islink(place) and not os.path.exists(place) else None
