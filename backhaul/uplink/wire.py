"""A connection whose bytes are counted at its socket, and that is given up when none moves."""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
import time
from dataclasses import dataclass

from backhaul.uplink.home import Traffic

_UNSENT = 0x894B  # SIOCOUTQNSD of Linux, which Python has no name for
_LOOKS = 10  # at the queue of what waits to go, while we wait


@dataclass
class Meter:
    """Counts the bytes of all connections of a home.

    Args:
        up_bytes: That left this machine, without headers of TCP and IP.
        down_bytes: That reached it.
    """

    up_bytes: int = 0
    down_bytes: int = 0

    @property
    def traffic(self) -> Traffic:
        """What was counted so far."""
        return Traffic(self.up_bytes, self.down_bytes)


class Wire:
    """A TCP connection.

    Each wait is for progress, never for the end: on a link of 1 kbit/s what was handed to the
    system takes minutes to leave, and an answer cannot come before. So a wait goes on while the
    other side acknowledges bytes.

    Args:
        connection: Connected; nobody else uses it.
        meter: Where its bytes are counted.
    """

    def __init__(self, connection: socket.socket, meter: Meter) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._meter = meter

    def receive(self, most_bytes: int, patience_s: float) -> bytes:
        """Return the next bytes; none = the other side has closed.

        Raises:
            TimeoutError: If for so many seconds no byte moves in either direction.
            OSError: If the connection breaks.
        """
        self._await(select.POLLIN, patience_s)
        data = self._socket.recv(most_bytes)
        self._meter.down_bytes += len(data)
        return data

    def send(self, data: bytes, patience_s: float) -> None:
        """Hand all bytes to the system.

        Raises:
            TimeoutError: If for so many seconds no byte moves.
            OSError: If the connection breaks.
        """
        left = memoryview(data)
        while left:
            self._await(select.POLLOUT, patience_s)
            n_bytes = self._socket.send(left)
            self._meter.up_bytes += n_bytes
            left = left[n_bytes:]

    def has_news(self) -> bool:
        """Return whether something can be received, or the other side has closed."""
        return bool(self._poll(select.POLLIN, 0.0))

    def close(self) -> None:
        """Close it; bytes that never left do not count, those that nobody read do."""
        if self._socket.fileno() < 0:
            return
        self._meter.up_bytes -= self._queued(_UNSENT)
        self._meter.down_bytes += self._queued(termios.FIONREAD)
        self._socket.close()

    def _await(self, event: int, patience_s: float) -> None:
        waiting, since = self._queued(termios.TIOCOUTQ), time.monotonic()
        while not self._poll(event, patience_s / _LOOKS):
            now = self._queued(termios.TIOCOUTQ)
            if now != waiting:
                waiting, since = now, time.monotonic()
            elif time.monotonic() - since >= patience_s:
                raise TimeoutError(f"no byte moved for {patience_s:g} s")

    def _poll(self, event: int, wait_s: float) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._socket, event)
        return poll.poll(1000 * wait_s)

    def _queued(self, what: int) -> int:
        """Return the length of a queue of the socket, as `what` asks for it; 0 = unknown."""
        try:
            answer = fcntl.ioctl(self._socket, what, bytes(4))
        except OSError:  # not on this system
            return 0
        [n_bytes] = struct.unpack("i", answer)
        return int(n_bytes)
