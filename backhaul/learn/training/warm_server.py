"""The warm process: it has torch and Ultralytics loaded, and forks a training on request.

Run as ``python -m backhaul.learn.training.warm_server N S``, where N is the number of a socket,
see `backhaul.learn.training.warm`. It ends with the process at the other end of that socket, or
after S seconds without work.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TypedDict

PRELOADED = (
    "backhaul.learn.training.trainer",
    "albumentations",
    "matplotlib.pyplot",
    "requests",
    "torch._inductor.config",  # by torch.use_deterministic_algorithms, and as slow as torch
    "torchvision",
)
"""What a training imports sooner or later, and that starts no thread (as polars does)."""

JOB_FDS = 4
"""File descriptors that come with a request: standard input, output, error, and the status."""


class Place(TypedDict):
    """Environment and folder of the process that requested a training; sent before the job."""

    environment: dict[str, str]
    path: list[str]
    folder: str


@dataclass(frozen=True, slots=True)
class _Running:
    """A training that has not ended."""

    pid: int
    pidfd: int
    status: socket.socket


class WarmServer:
    """Forks trainings, and reports when each has begun and how it ended.

    The status socket of a training carries its process id, then its return code. When its other
    end is shut, the training is killed.
    """

    def __init__(self, control: socket.socket, idle_s: float) -> None:
        self._control = control
        self._idle_s = idle_s
        self._running: list[_Running] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until the other end closes, or until there was no request for long enough."""
        while ready := self._selector.select(None if self._running else self._idle_s):
            for key, _ in ready:
                training = key.data
                if training is None:
                    fds = socket.recv_fds(self._control, 1, JOB_FDS)[1]
                    if not fds:
                        self._kill_all()
                        return
                    self._fork(fds)
                elif key.fd == training.pidfd:
                    self._bury(training)
                elif training in self._running:
                    os.kill(training.pid, signal.SIGKILL)
                    self._selector.unregister(training.status)

    def _fork(self, fds: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._let_go()
            os.close(fds.pop())
            _train(fds)
        status = socket.socket(fileno=fds.pop())
        for fd in fds:
            os.close(fd)
        training = _Running(pid, os.pidfd_open(pid), status)
        self._running.append(training)
        self._selector.register(training.pidfd, selectors.EVENT_READ, training)
        self._selector.register(status, selectors.EVENT_READ, training)
        _say(status, pid)

    def _let_go(self) -> None:
        """Close in a fork what it must not keep open: others wait for the ends of these."""
        self._selector.close()
        self._control.close()
        for training in self._running:
            os.close(training.pidfd)
            training.status.close()

    def _bury(self, training: _Running) -> None:
        self._running.remove(training)
        self._selector.unregister(training.pidfd)
        os.close(training.pidfd)
        with suppress(KeyError):  # it was killed when that end was shut
            self._selector.unregister(training.status)
        _, ending = os.waitpid(training.pid, 0)
        _say(training.status, os.waitstatus_to_exitcode(ending))
        training.status.close()

    def _kill_all(self) -> None:
        for training in self._running:
            os.kill(training.pid, signal.SIGKILL)


def _say(status: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody waits for it any more
        status.send(str(number).encode())


def _train(fds: list[int]) -> None:
    """Become the training process of a job; this does not return."""
    try:
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
            os.close(fd)
        _take(json.loads(sys.stdin.buffer.readline()))
        from backhaul.learn.training.trainer import main

        main()
    except BaseException:
        sys.stdout.flush()
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(1)  # what waits for the end of the server is none of ours


def _take(place: Place) -> None:
    os.environ.clear()
    os.environ.update(place["environment"])
    os.chdir(place["folder"])
    sys.path[:] = place["path"]
    importlib.invalidate_caches()


def main() -> None:
    """Load the libraries of trainings, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it goes to the whole group; see the socket
    for name in PRELOADED:
        importlib.import_module(name)
    sys.stdout.flush()  # or every fork would write it once more
    gc.collect()
    gc.freeze()  # a collection in a fork would write to, and so copy, all pages
    with socket.socket(fileno=int(sys.argv[1])) as control:
        WarmServer(control, idle_s=float(sys.argv[2])).serve()
        os._exit(0)


if __name__ == "__main__":
    main()
