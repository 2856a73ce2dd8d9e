"""What a node sees of home: named objects that it puts, asks for and gets, over a bad link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from backhaul.errors import InputError
from backhaul.untrusted import one_line

MOST_BYTES = 16 * 2**20
"""Of an object that `Home.get` holds in memory."""
_MOST_NAME = 900  # bytes; S3 takes 1,024 with the prefix
_CONTROL = re.compile(r"[\0-\x1f\x7f\ud800-\udfff\\]")


class LinkDownError(RuntimeError):
    """Home was not reached, or did not answer: whether it did what was asked is unknown."""


class HomeRefusedError(RuntimeError):
    """Home answered that it will not: revoked keys, no right, no bucket, a wrong clock.

    Args:
        message: One line, without keys and without text of the answer.
        status: Of the HTTP answer; None = home is a folder.
        code: S3's word for it, such as ``InvalidAccessKeyId``; None = home said none.
        home_time: The time at home, from the answer's ``Date``; None = it said none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        home_time: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.home_time = home_time


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes over the wire.

    Args:
        up_bytes: From the node to home.
        down_bytes: From home to the node.
    """

    up_bytes: int = 0
    down_bytes: int = 0

    def __sub__(self, earlier: Traffic) -> Traffic:
        """Return what went since `earlier`."""
        return Traffic(self.up_bytes - earlier.up_bytes, self.down_bytes - earlier.down_bytes)


@dataclass(frozen=True, slots=True)
class Put:
    """What became of an object that was put.

    Args:
        traffic: What it took.
        was_there: Whether home had it already, so that it was left as it is.
    """

    traffic: Traffic
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class Got:
    """An object of home's.

    Args:
        etag: Its version, as home calls it.
        data: Its content; None = still of the version that was known.
    """

    etag: str
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """An object of home's that was to come into a file.

    Args:
        etag: Its version, as home calls it.
        is_new: Whether the file has been written; False = still of the version that was known.
    """

    etag: str
    is_new: bool


class Home(Protocol):
    """Home, as one thread of a node talks to it.

    Names are relative, with ``/`` between their parts, and lie below a prefix that is the
    home's own. Each method raises `LinkDownError` and `HomeRefusedError`, and `InputError` for
    a name that no object can have.
    """

    @property
    def traffic(self) -> Traffic:
        """All bytes so far, those of failures included."""

    def put(self, name: str, data: bytes | Path, *, replace: bool = True) -> Put:
        """Store an object, whole or not at all.

        Args:
            name: Its name.
            data: Its content, or the file that has it.
            replace: Whether an object of that name is replaced; else it is left as it is.

        Raises:
            UnreadableFileError: If the file cannot be read, or changes meanwhile.
        """

    def size(self, name: str) -> int | None:
        """Return how many bytes an object has; None = there is none, or it may not be seen."""

    def get(
        self, name: str, known: str | None = None, most_bytes: int = MOST_BYTES
    ) -> Got | None:
        """Return an object, without its content if it is still `known`; None = there is none.

        Args:
            name: Its name.
            known: The ETag of the version that the node has.
            most_bytes: Of its content.

        Raises:
            TooLargeError: If it has more.
        """

    def download(
        self, name: str, target: Path, most_bytes: int, known: str | None = None
    ) -> Downloaded | None:
        """Bring an object into a file, whole or not at all; None = there is none.

        What has come when the link breaks stays beside the file, and the next call goes on from
        there, if the object is still the same.

        Args:
            name: Its name.
            target: The file; its folder exists.
            most_bytes: Of its content.
            known: The ETag of the version that the node has.

        Raises:
            TooLargeError: If it has more.
            OSError: If this machine's disk does not take it.
        """

    def close(self) -> None:
        """Let go of the connection."""


def checked_name(name: str) -> str:
    """Return the name of an object.

    Raises:
        InputError: If it is none: empty, absolute, too long, or with ``.`` or ``..`` as a part.
    """
    parts = name.split("/")
    if _CONTROL.search(name) or any(part in ("", ".", "..") for part in parts):
        raise InputError(
            f"{one_line(name)!r}: expected a relative name, its parts separated by single /, "
            "none of them . or .."
        )
    if len(name.encode()) > _MOST_NAME:
        raise InputError(f"{one_line(name)!r}: expected at most {_MOST_NAME} bytes")
    return name
