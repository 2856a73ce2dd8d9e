"""A program in the background, with a folder of its own for its log, its pid and its data."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, ClassVar

import psutil

from backhaul.environment import without_secrets
from backhaul.errors import InputError
from backhaul.storage.holder import began_after_boot, this_machine

POLL_S = 0.2
FOREIGN = ("PREFECT_", "AWS_", "PG", "WEED_")
"""Variables of the starter's environment that would change what a service does."""
BASICS = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_*"),
    *("LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHON*", "XDG_*", "SSL_CERT_*", "REQUESTS_CA_BUNDLE"),
)
"""Patterns of the variables that any program may need."""


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs, or has threads that still hold its ports and files.

    A zombie does not count, but while other threads than its first one end: on a busy machine
    they keep its ports for a while, and its successor could not listen.
    """
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return bool(process.num_threads() > 1)
        return bool(process.is_running())
    except psutil.NoSuchProcess:
        return False


def find_process(folder: Path) -> psutil.Process | None:
    """Return the process that a service started in this folder, if it still runs."""
    try:
        pid, began, machine = (folder / "pid").read_text().splitlines()
        process = psutil.Process(int(pid))
        same = abs(began_after_boot(process) - float(began)) < 1  # pids are used again
        same = same and machine == this_machine()  # and after the next boot at the same time
        return process if same and is_alive(process) else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def is_running(folder: Path) -> bool:
    """Return whether the service of this folder runs."""
    return find_process(folder) is not None


def tree_of(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all that it started, itself first."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def tell(processes: list[psutil.Process], number: int) -> None:
    """Send a signal to those of the processes that are still there."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


@dataclass
class Service(ABC):
    """A server or worker that outlives whoever started it.

    Args:
        folder: Where its log, its pid and its data lie; no other service uses it.
    """

    folder: Path
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    kill_signal: ClassVar[signal.Signals] = signal.SIGKILL
    patience_s: ClassVar[float] = 90
    inherits: ClassVar[tuple[str, ...]] = BASICS
    """Patterns of the variables that it gets from its starter, but for secrets."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Name for people."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Address for people and programs."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program and its arguments, none of them secret."""

    @abstractmethod
    def ready(self) -> bool:
        """Return whether it is ready for use."""

    def own_environment(self) -> Mapping[str, str]:
        """Return the variables that it needs beside those of its starter."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return the user and group arguments for `subprocess`; empty = as its starter."""
        return {}

    def prepare(self) -> None:
        """Make what must be there before it starts; called at each start."""
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return is_running(self.folder)

    @property
    def log(self) -> Path:
        """The file with what it says."""
        return self.folder / "log"

    def start(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            InputError: If it ends at once, or is not ready in time.
        """
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start its process, and wait for nothing."""
        self.prepare()
        with self.log.open("ab") as log:
            child: subprocess.Popen[bytes] = subprocess.Popen(
                self.command(),
                env={**inherited(self.inherits), **self.own_environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.identity(),
            )
        self._child = child
        began = began_after_boot(psutil.Process(child.pid))
        (self.folder / "pid").write_text(f"{child.pid}\n{began}\n{this_machine()}\n")

    def wait_until_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            InputError: If it ends, or is not ready in time.
        """
        deadline = time.monotonic() + self.patience_s
        while not self.ready():
            if not self.running:
                self._reap()
                raise InputError(f"{self.title}: ended at its start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise InputError(
                    f"{self.title}: not ready after {self.patience_s:.0f} s; see {self.log}"
                )
            time.sleep(POLL_S)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return f"{next((x for x in reversed(lines) if x.strip()), 'nothing')} (see {self.log})"

    def stop(self) -> None:
        """Ask it to end, and wait until it is gone."""
        self.wait_until_gone(self.ask_to_end())

    def ask_to_end(self) -> list[psutil.Process]:
        """Send the signal that it ends on; returns the processes that must be gone then."""
        process = find_process(self.folder)
        tree = tree_of(process) if process else []
        tell(tree[:1], self.stop_signal)
        return tree

    def wait_until_gone(self, tree: list[psutil.Process]) -> None:
        """Wait for the processes; those that stay too long are killed."""
        deadline = time.monotonic() + self.patience_s
        while any(is_alive(process) for process in tree):
            if time.monotonic() > deadline:
                tell(tree, signal.SIGKILL)
            time.sleep(POLL_S)
        self._reap()

    def kill(self) -> None:
        """End it and all that it started, at once; it may lose data."""
        process = find_process(self.folder)
        tree = tree_of(process) if process else []
        tell(tree, self.kill_signal)
        self.wait_until_gone(tree)

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait()
            self._child = None
        (self.folder / "pid").unlink(missing_ok=True)


def inherited(patterns: Sequence[str] = BASICS) -> dict[str, str]:
    """Return what a child gets of this process's environment, which may hold many a key.

    Args:
        patterns: Of the names of the variables.
    """
    harmless = without_secrets(os.environ)
    return {
        name: value
        for name, value in harmless.items()
        if not name.startswith(FOREIGN) and any(fnmatch(name, each) for each in patterns)
    }
