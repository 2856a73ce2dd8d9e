"""An HTTP proxy that fails as object stores and networks do, on purpose and repeatably."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np

BUSY = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code>"
    b"<Message>Please reduce your request rate.</Message></Error>"
)
_PIECE = 2**16


@dataclass
class Faults:
    """What goes wrong; may be changed while the proxy runs.

    Args:
        busy: Fraction of requests that are answered 503 and not passed on.
        reset: Fraction of requests whose connection is reset before they are passed on.
        lost: Fraction of requests that are passed on, and their connection reset then.
        bytes_per_s: How fast bodies of requests are taken; None = at once.
        seed: Of the random numbers.
    """

    busy: float = 0.0
    reset: float = 0.0
    lost: float = 0.0
    bytes_per_s: float | None = None
    seed: int = 0
    requests: int = 0
    failed: int = 0
    received: int = 0
    down_until: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def take_down(self, seconds: float) -> None:
        """Reset every connection for some seconds from now."""
        self.down_until = time.monotonic() + seconds

    def draw(self) -> str:
        """Return what happens to the next request."""
        with self._guard:
            self.requests += 1
            shares = {"busy": self.busy, "reset": self.reset, "lost": self.lost}
            shares["pass"] = 1 - sum(shares.values())
            what = str(self._rng.choice(list(shares), p=list(shares.values())))
            if time.monotonic() < self.down_until:
                what = "reset"
            self.failed += what != "pass"
            return what


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str, faults: Faults) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.faults = faults
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed break their connections; that is what they are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(_PIECE)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        what = self.server.faults.draw()
        if what == "reset":
            self._break()
            return
        body = self._take_body()
        if what == "busy":
            self._answer(503, "Slow Down", [("Content-Type", "application/xml")], BUSY)
            return
        status, reason, headers, content = self._pass_on(body)
        if what == "lost":
            self._break()
        else:
            self._answer(status, reason, headers, content)

    def _take_body(self) -> bytes:
        faults, body = self.server.faults, bytearray()
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, _PIECE))
            if not piece:
                raise ConnectionResetError("the client went away")
            body += piece
            left -= len(piece)
            faults.received += len(piece)
            if faults.bytes_per_s:
                time.sleep(len(piece) / faults.bytes_per_s)
        return bytes(body)

    def _pass_on(self, body: bytes) -> tuple[int, str, list[tuple[str, str]], bytes]:
        """Send the request unchanged, its Host too, which its signature covers."""
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            upstream.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    upstream.putheader(name, value)
            upstream.endheaders(body or None)
            answer = upstream.getresponse()
            return answer.status, answer.reason, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _answer(
        self, status: int, reason: str, headers: list[tuple[str, str]], content: bytes
    ) -> None:
        self.send_response_only(status, reason)
        own = ("connection", "transfer-encoding", "content-length")
        length = str(len(content))
        for name, value in headers:
            if name.lower() not in own:
                self.send_header(name, value)
            elif name.lower() == "content-length" and self.command == "HEAD":
                length = value
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)

    def _break(self) -> None:
        """Reset the connection, as a machine does that has lost it."""
        self.close_connection = True
        off = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
        self.connection.close()


@contextmanager
def faulty_proxy(upstream: str, faults: Faults) -> Iterator[str]:
    """Run a proxy before the server at `upstream` during the block; yield its address."""
    server = _Server(upstream, faults)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
