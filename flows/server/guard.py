"""Runs a server that ends with the process that asked for it, however that ends.

``python -I -S guard.py PARENT SECONDS COMMAND...``, where PARENT is the id of that process,
which holds the other end of our standard input. The server is told to end when that end closes,
or the process is gone, and is killed SECONDS later; should this guard itself be killed, the
kernel kills the server. Standard library alone: it is there before the server begins.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading

ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
LOOK_S = 1.0


def parent_is_gone(parent: int, wait_s: float) -> bool:
    """Return whether the parent has ended, or has closed its end, within so many seconds."""
    closed, _, _ = select.select([0], [], [], wait_s)
    return bool(closed) or os.getppid() != parent


def begin_with(guard: int) -> None:
    """Let this process, which will be the server, end with the guard."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != guard:  # it ended before the kernel was told
        os._exit(1)


def main() -> None:
    """Run the command, and end as it does."""
    parent, patience_s, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # until there is a server to tell
    if parent_is_gone(parent, 0):
        return
    guard = os.getpid()
    server = subprocess.Popen(  # noqa: S603 - what our parent gave us
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: begin_with(guard),  # noqa: PLW1509 - there is one thread yet
    )

    def end(*_: object) -> None:
        server.terminate()
        kill = threading.Timer(patience_s, server.kill)
        kill.daemon = True
        kill.start()

    def watch() -> None:
        while not parent_is_gone(parent, LOOK_S):
            pass
        end()

    for number in ENDS:
        signal.signal(number, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    threading.Thread(target=watch, daemon=True).start()
    os._exit(server.wait() % 256)


if __name__ == "__main__":
    main()
