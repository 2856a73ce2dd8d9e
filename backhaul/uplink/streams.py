"""Connections of httpcore over counted wires: plain, and with TLS above the count."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpcore

from backhaul.uplink.wire import Meter, Wire

R = TypeVar("R")

_RECORD_BYTES = 2**14
_PATIENCE_S = 60.0  # where httpcore says none


class CountingBackend(httpcore.NetworkBackend):
    """Opens connections, counts their bytes, and goes on with the last session of TLS.

    Args:
        meter: Where they are counted.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.session: ssl.SSLSession | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to a host."""
        with _as_errors_of_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError):
            connection = socket.create_connection((host, port), timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _PlainStream(Wire(connection, self._meter), self)


class _PlainStream(httpcore.NetworkStream):
    """Bytes as they are."""

    def __init__(self, wire: Wire, backend: CountingBackend) -> None:
        self._wire = wire
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _as_errors_of_httpcore(httpcore.ReadTimeout, httpcore.ReadError):
            return self._wire.receive(max_bytes, timeout or _PATIENCE_S)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        with _as_errors_of_httpcore(httpcore.WriteTimeout, httpcore.WriteError):
            if self._wire.has_news():
                raise _AnsweredError
            self._wire.send(buffer, timeout or _PATIENCE_S)

    def close(self) -> None:
        self._wire.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = _TlsStream(self._wire, self._backend, ssl_context, server_hostname)
        try:
            with _as_errors_of_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError):
                stream.shake_hands(timeout or _PATIENCE_S)
        except BaseException:
            self._wire.close()
            raise
        return stream

    def get_extra_info(self, info: str) -> Any:
        return self._wire.has_news() if info == "is_readable" else None


class _TlsStream(httpcore.NetworkStream):
    """Bytes in records of TLS, which are made in memory, so that the wire below counts them."""

    def __init__(
        self,
        wire: Wire,
        backend: CountingBackend,
        context: ssl.SSLContext,
        host: str | None,
    ) -> None:
        self._wire = wire
        self._backend = backend
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._early = b""
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=backend.session
        )

    def shake_hands(self, patience_s: float) -> None:
        self._drive(self._tls.do_handshake, patience_s)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        early, self._early = self._early, b""
        if early:
            return early
        with _as_errors_of_httpcore(httpcore.ReadTimeout, httpcore.ReadError):
            return self._drive(lambda: self._tls.read(max_bytes), timeout or _PATIENCE_S)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        patience_s, left = timeout or _PATIENCE_S, memoryview(buffer)
        with _as_errors_of_httpcore(httpcore.WriteTimeout, httpcore.WriteError):
            if self._has_answer(patience_s):
                raise _AnsweredError
            while left:
                piece = left[:_RECORD_BYTES]
                left = left[
                    self._drive(lambda piece=piece: self._tls.write(piece), patience_s) :
                ]

    def close(self) -> None:
        if self._tls.session is not None:
            self._backend.session = self._tls.session
        self._wire.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._tls
        return self._wire.has_news() if info == "is_readable" else None

    def _has_answer(self, patience_s: float) -> bool:
        """Return whether something of the answer is there: tickets of TLS come at any time."""
        while not self._early and self._wire.has_news():
            self._take_in(patience_s)
            try:
                self._early = self._tls.read(_RECORD_BYTES)
            except ssl.SSLWantReadError:
                continue
            return True
        return bool(self._early)

    def _drive(self, act: Callable[[], R], patience_s: float) -> R:
        """Do something of TLS, and send and receive what it takes."""
        while True:
            try:
                result = act()
            except ssl.SSLWantReadError:
                self._wire.send(self._outgoing.read(), patience_s)
                self._take_in(patience_s)
            else:
                self._wire.send(self._outgoing.read(), patience_s)
                return result

    def _take_in(self, patience_s: float) -> None:
        data = self._wire.receive(_RECORD_BYTES, patience_s)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


class _AnsweredError(OSError):
    """Home answers, or has closed, before it has the whole request: the rest need not go."""


@contextmanager
def _as_errors_of_httpcore(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except (OSError, UnicodeError) as error:  # the latter of names that no host can have
        raise broken(str(error) or type(error).__name__) from error
