"""An answer of an S3 server: what it says, and which of the errors of a node it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property

import httpcore

from backhaul.untrusted import TooLargeError
from backhaul.uplink.home import HomeRefusedError, LinkDownError

NOT_MODIFIED, PARTIAL, NO_SUCH_RANGE, EXISTS, FORBIDDEN = 304, 206, 416, 412, 403
_NOT_FOUND, _NOT_IMPLEMENTED, _SERVER_ERRORS = 404, 501, 500
_DONE = range(200, 300)
_UNCERTAIN = (408, 425, 429)
_UNCERTAIN_CODES = ("RequestTimeout", "OperationAborted", "ConditionalRequestConflict")
_ABSENT_CODES = (None, "NoSuchKey", "AccessDenied")
_MOST_ERROR_BYTES = 2**14
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")
_START = re.compile(r"bytes (\d{1,18})-")


class Answer:
    """An answer whose content is read as it comes.

    Args:
        response: As httpcore has it.
        what: What was asked, for errors.
    """

    def __init__(self, response: httpcore.Response, what: str) -> None:
        self._content = response.iter_stream()
        self._what = what
        self.status = response.status
        self._headers = {
            name.lower().decode("latin-1"): value.decode("latin-1")
            for name, value in response.headers
        }

    @property
    def etag(self) -> str:
        """Version of the object; empty = it says none."""
        return self._headers.get("etag", "")

    @property
    def n_bytes(self) -> int | None:
        """Bytes of the content, in an answer to HEAD those of the object; None = unknown."""
        text = self._headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdecimal() else None

    @property
    def start(self) -> int | None:
        """Byte of the object at which the content begins; None = it says none."""
        found = _START.match(self._headers.get("content-range", ""))
        return int(found[1]) if found else None

    @property
    def time(self) -> datetime | None:
        """Time at the server, in UTC; None = it says none."""
        try:
            time = parsedate_to_datetime(self._headers.get("date", ""))
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    @cached_property
    def code(self) -> str | None:
        """S3's word for an error; None = it says none."""
        text = b""
        while len(text) <= _MOST_ERROR_BYTES and (piece := next(self._content, b"")):
            text += piece
        found = _CODE.search(text[:_MOST_ERROR_BYTES])
        return found[1].decode() if found else None

    @property
    def is_absent(self) -> bool:
        """Whether there is no such object, or none that these keys may see.

        Who may not list is told 403 for what is missing.
        """
        return self.status in (_NOT_FOUND, FORBIDDEN) and self.code in _ABSENT_CODES

    def require_done(self) -> None:
        """Do nothing if it is what was asked for.

        Raises:
            LinkDownError: If the server is busy or broken, or it is not S3 that answers, but a
                page of a network that wants a login.
            HomeRefusedError: If it will not.
        """
        if self.status in _DONE and self.etag:
            return
        said = f"{self._what}: answered {self.status}" + (f" {self.code}" if self.code else "")
        if self.status in _DONE:
            raise LinkDownError(f"{said} without an ETag, expected an S3 server")
        if self._is_uncertain:
            raise LinkDownError(said)
        raise HomeRefusedError(said, status=self.status, code=self.code, home_time=self.time)

    @property
    def _is_uncertain(self) -> bool:
        if self.status in _UNCERTAIN or self.code in _UNCERTAIN_CODES:
            return True
        if self.status >= _SERVER_ERRORS:
            return self.status != _NOT_IMPLEMENTED
        return self.status < 400 and self.code is None  # noqa: PLR2004 - led elsewhere, not by S3

    def pieces(self, name: str, most_bytes: int, start: int = 0) -> Iterator[bytes]:
        """Return the content as it comes.

        Args:
            name: Of the object, for errors.
            most_bytes: Of the object.
            start: The byte of it at which the content begins.

        Raises:
            TooLargeError: If it has more; where its length is known, nothing is read then.
        """
        n_bytes = start + (self.n_bytes or 0)
        if n_bytes > most_bytes:
            raise TooLargeError(name, n_bytes, most_bytes)
        return self._bounded(name, most_bytes, start)

    def _bounded(self, name: str, most_bytes: int, n_bytes: int) -> Iterator[bytes]:
        for piece in self._content:
            n_bytes += len(piece)
            if n_bytes > most_bytes:
                raise TooLargeError(name, n_bytes, most_bytes)
            yield piece

    def finish(self) -> None:
        """Read what is left, if it is little, so that the connection serves once more."""
        left = _MOST_ERROR_BYTES
        while left > 0 and (piece := next(self._content, b"")):
            left -= len(piece)
