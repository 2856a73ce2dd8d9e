"""A link over TCP that is slow, breaks and goes away, on purpose and repeatably.

It knows nothing of what it carries, but for the length of an HTTP request in plain text; TLS
passes as well. `faulty_proxy` fails as a server of objects does, and reads whole requests.
"""

from __future__ import annotations

import fcntl
import re
import select
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BUFFER = 4096
_TICK_S = 0.02


@dataclass
class Weather:
    """What becomes of a link; may be changed while it carries.

    Args:
        reset: Fraction of requests whose connection is reset before the last of their bytes.
        lost: Fraction of requests that pass, and their connection is reset before any answer.
        kbit_s: Its rate in each direction; None = at once.
        silent: Whether nothing passes, and nothing is reset.
        down: Whether each connection is reset, and none is made.
        outages: Seconds since it began, from and to which it is down as well.
        cut_after: Bytes down after which a connection is reset; None = it is not.
        opaque_bytes: Length of requests that cannot be read, such as those in TLS.
        seed: Of the random numbers.
    """

    reset: float = 0.0
    lost: float = 0.0
    kbit_s: float | None = None
    silent: bool = False
    down: bool = False
    outages: tuple[tuple[float, float], ...] = ()
    cut_after: int | None = None
    opaque_bytes: int = 1500
    seed: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._began = time.monotonic()

    @property
    def is_down(self) -> bool:
        """Whether each connection is reset now."""
        since = time.monotonic() - self._began
        return self.down or any(begin <= since < end for begin, end in self.outages)

    def draw(self, head: bytes) -> Fate:
        """Return what becomes of a request that begins so."""
        draw, where = self._rng.random(2)
        found = _LENGTH.search(head)
        length = len(head) + int(found[1]) if found else self.opaque_bytes
        if draw < self.reset:
            return Fate(reset_after=int(where * length))
        return Fate(lost=draw < self.reset + self.lost)


@dataclass
class Fate:
    """What becomes of one request: after how many bytes it is reset, or that its answer is."""

    reset_after: int | None = None
    lost: bool = False
    carried: int = 0


@dataclass
class FaultyLink:
    """A running link.

    Args:
        port: On 127.0.0.1, where it is entered.
        weather: What becomes of it.
        up_bytes: That came from the client.
        down_bytes: That went to it.
        breaks: How many connections were reset.
    """

    port: int
    weather: Weather
    up_bytes: int = 0
    down_bytes: int = 0
    breaks: int = 0
    connections: list[socket.socket] = field(default_factory=list)


@contextmanager
def faulty_link(port: int, weather: Weather) -> Iterator[FaultyLink]:
    """Run a link to a port of 127.0.0.1 during the block."""
    with socket.socket() as entry:
        entry.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)  # or it holds minutes
        entry.bind(("127.0.0.1", 0))
        entry.listen()
        link = FaultyLink(entry.getsockname()[1], weather)
        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(entry, port, link, threads))
        accepting.start()
        try:
            yield link
        finally:
            weather.silent = False
            entry.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for each in link.connections:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def _accept(
    entry: socket.socket, port: int, link: FaultyLink, threads: list[threading.Thread]
) -> None:
    while True:
        try:
            client, _ = entry.accept()
        except OSError:
            return
        try:
            pair = _Pair(client, port, link)
        except OSError:  # nobody is there
            client.close()
            continue
        link.connections += [pair.client, pair.server]
        for carry in (pair.carry_up, pair.carry_down):
            threads.append(threading.Thread(target=carry))
            threads[-1].start()


class _Pair:
    """A connection of a client, and ours to the server for it."""

    def __init__(self, client: socket.socket, port: int, link: FaultyLink) -> None:
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", port))
        for each in (self.client, self.server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.link = link
        self.guard = threading.RLock()
        self.fate: Fate | None = None
        self.ends = 0

    def carry_up(self) -> None:
        with self._ending(), suppress(OSError, ValueError):  # of one that is closed already
            while data := self._receive():
                if not self._passes():
                    return
                with self.guard:
                    if self.fate is None:
                        self.fate = self.link.weather.draw(data)
                    after = self.fate.reset_after
                    if after is not None and self.fate.carried + len(data) > after:
                        self._reset()
                        return
                    self.fate.carried += len(data)
                self.server.sendall(data)
                self._take_time(len(data))
            self.server.shutdown(socket.SHUT_WR)

    def carry_down(self) -> None:
        n_bytes = 0
        with self._ending(), suppress(OSError):
            while data := self.server.recv(_BUFFER):
                if not self._passes():
                    return
                with self.guard:
                    if self.fate is not None and self.fate.lost:
                        self._reset()
                        return
                    self.fate = None  # the next bytes up are of another request
                    self.client.sendall(data)
                    self.link.down_bytes += len(data)
                n_bytes += len(data)
                if self.link.weather.cut_after and n_bytes > self.link.weather.cut_after:
                    self._reset()
                    return
                self._take_time(len(data))
            self.client.shutdown(socket.SHUT_WR)

    def _receive(self) -> bytes:
        """Return the next bytes of the client, each counted once, also where a reset comes."""
        select.select([self.client], [], [])
        with self.guard:
            data = self.client.recv(_BUFFER)
            self.link.up_bytes += len(data)
        return data

    def _passes(self) -> bool:
        """Wait while nothing passes; return False where the connection breaks."""
        while self.link.weather.silent and self.client.fileno() >= 0:
            time.sleep(_TICK_S)
        if self.link.weather.is_down:
            self._reset()
        return self.client.fileno() >= 0

    def _take_time(self, n_bytes: int) -> None:
        if self.link.weather.kbit_s is not None:
            time.sleep(n_bytes / (125 * self.link.weather.kbit_s))

    def _reset(self) -> None:
        """Break the connection to the client, and that to the server with it."""
        with self.guard:
            if self.client.fileno() < 0:
                return
            self.link.breaks += 1
            unread = fcntl.ioctl(self.client, termios.FIONREAD, bytes(4))
            self.link.up_bytes += struct.unpack("i", unread)[0]
            linger = struct.pack("ii", 1, 0)
            for each in (self.client, self.server):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RD)  # wakes who waits for it
                each.close()

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Close both once neither direction carries any more."""
        try:
            yield
        finally:
            with self.guard:
                self.ends += 1
                if self.ends == 2:
                    self.client.close()
                    self.server.close()
