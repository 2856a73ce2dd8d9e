"""An end to an exchange as a whole: timeouts of HTTP clients are of each read alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any

_OPENED = ("connection.connect_tcp.complete", "connection.start_tls.complete")


class DeadlineError(Exception):
    """The other side has not answered in whole by its time."""


class Deadline:
    """Breaks the connection of a client where one exchange over it takes too long.

    A server that sends a byte now and then, in its headers or after them, passes each timeout
    of a read. The client asks one thing at a time, and passes `trace` to `httpcore` as the
    extension ``trace`` of each request, so that the connection is known here.
    """

    def __init__(self) -> None:
        self._stream: Any = None
        self._is_over = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note a connection that was opened: what is asked next goes over it."""
        if event in _OPENED:
            self._stream = info["return_value"]
            if self._is_over:
                self._break()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Break the connection if what is done meanwhile takes longer.

        Args:
            seconds: How long it may take.

        Raises:
            DeadlineError: If it took longer, whatever came of it.
        """
        self._is_over = False
        timer = Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception:
            self._require_in_time(seconds)
            raise
        finally:
            timer.cancel()
        self._require_in_time(seconds)

    def _require_in_time(self, seconds: float) -> None:
        if self._is_over:
            raise DeadlineError(f"has not answered in whole within {seconds:g} s") from None

    def _end(self) -> None:
        self._is_over = True
        if self._stream is not None:
            self._break()

    def _break(self) -> None:
        """End both directions: whoever reads or writes stops, and closes the connection."""
        with suppress(OSError):
            self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
