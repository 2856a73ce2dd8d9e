"""Tell systemd that the agent lives (sd_notify)."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> bool:
    """Send a state to systemd; return whether it listens.

    Args:
        state: As ``READY=1`` or ``WATCHDOG=1``; see the manual page sd_notify(3).
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    place = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.connect(place)
            connection.sendall(state.encode())
    except OSError:
        return False
    return True
