"""Start trainings as forks of a warm process, see `backhaul.learn.training.warm_server`."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from backhaul.environment import without_secrets
from backhaul.learn.training.warm_server import Place
from backhaul.look.libraries import (
    LIBRARY_ENVIRONMENT,
    SAFE_LOAD,
    SETTINGS_FOLDER,
    settings_folder,
)

SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Only a process with one thread is forked safely; a training sets its own number of them."""

IDLE_S = 60.0
"""How long the warm process waits for the next training; it holds half a gigabyte meanwhile."""

MESSAGE_BYTES = 32
"""More than a process id or a return code takes."""


class ForkedTraining:
    """A training forked by another process, with the interface of `subprocess.Popen`.

    Args:
        stdin: Standard input of the training.
        stdout: Its standard output.
        status: Socket for its process id, then its return code.
    """

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], status: socket.socket) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self._status = status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stdout.close()
        with suppress(BrokenPipeError):
            self.stdin.close()
        self.wait()
        self._status.close()

    def wait(self) -> int | None:
        """Return the exit status of the training when it has ended; None if it is unknown."""
        reply = self._status.recv(MESSAGE_BYTES)
        return int(reply) if reply else None

    def kill(self) -> None:
        """Kill the training, unless it has ended."""
        with suppress(OSError):
            self._status.shutdown(socket.SHUT_WR)


class _WarmProcess:
    """The process that forks trainings, and the socket for requests to it."""

    def __init__(self, log: int, idle_s: float) -> None:
        self._control, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with far_end:
            self._process = subprocess.Popen(  # noqa: S603 - one of our own modules
                [
                    *(sys.executable, "-P", "-m", "backhaul.learn.training.warm_server"),
                    *(str(far_end.fileno()), str(idle_s)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **LIBRARY_ENVIRONMENT,
                    **without_secrets(os.environ),
                    **SINGLE_THREADED,
                    SAFE_LOAD: "1",
                    SETTINGS_FOLDER: settings_folder(),
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                },
                pass_fds=[far_end.fileno()],
            )

    def ask(self, fds: list[int]) -> bool:
        """Send a request for a training; return whether the process received it."""
        try:
            socket.send_fds(self._control, [b"\n"], fds)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """End the process."""
        self._control.close()
        self._process.wait()


class Warm:
    """Forks trainings from a warm process, which is started when it is first needed.

    Args:
        idle_s: How long that process waits for the next training before it ends.
    """

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._process: _WarmProcess | None = None

    def start(self, environment: Mapping[str, str], log: int) -> ForkedTraining:
        """Return a training that waits for its job on standard input.

        Args:
            environment: Its environment.
            log: File descriptor of the file for what it prints.
        """
        stdin, our_stdin = os.pipe()
        our_stdout, stdout = os.pipe()
        try:
            fds = [stdin, stdout, log]
            begun, status = self._ask(fds)
            if not begun:  # the process may just have ended, having waited for long enough
                status.close()
                _, status = self._ask(fds)
        finally:
            os.close(stdin)
            os.close(stdout)
        pipes = os.fdopen(our_stdin, "wb"), os.fdopen(our_stdout, "rb")
        training = ForkedTraining(*pipes, status)
        with suppress(BrokenPipeError):  # it ended at once; the reason is in its log
            training.stdin.write(json.dumps(_place(environment)).encode() + b"\n")
        return training

    def close(self) -> None:
        """End the process, and all trainings that it has forked."""
        with self._lock:
            if self._process is not None:
                self._process.close()
                self._process = None

    def _ask(self, fds: list[int]) -> tuple[bool, socket.socket]:
        """Return whether a training has begun, and the socket for its exit status."""
        status, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far_end, self._lock:
            fds = [*fds, far_end.fileno()]
            if self._process is None or not self._process.ask(fds):
                self._renew(log=fds[2]).ask(fds)
        return bool(status.recv(MESSAGE_BYTES)), status

    def _renew(self, log: int) -> _WarmProcess:
        if self._process is None:
            atexit.register(self.close)
        else:
            self._process.close()
        self._process = _WarmProcess(log, self._idle_s)
        return self._process


def _place(environment: Mapping[str, str]) -> Place:
    folder = str(Path.cwd())
    path = [*(path for path in sys.path if path), folder]
    return Place(environment=dict(environment), path=path, folder=folder)
