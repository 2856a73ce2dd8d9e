"""A command in a terminal of its own, as a person has it before them."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sysconfig
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

COMMAND = str(Path(sysconfig.get_path("scripts")) / "backhaul")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
OPEN = 'exec "$@" <>"$0" >&0 2>&0'
"""Makes a terminal that of the new session, so that its keys send signals."""
CTRL_C = b"\x03"


@dataclass
class Terminal:
    """A terminal; `text` is all that was written to it, without colours and movements.

    Args:
        process: The command.
        master: Our end of it.
    """

    process: subprocess.Popen[bytes]
    master: int
    _raw: bytes = field(default=b"", init=False)

    @property
    def text(self) -> str:
        return CONTROL.sub("", self._raw.decode("utf-8", errors="replace"))

    def wait_for(self, text: str, seconds: float) -> None:
        """Read until `text` was written."""
        end = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} did not come: {self.text[-3000:]}"
            assert self._read() or self.process.poll() is None, self.text[-3000:]

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def end(self, seconds: float) -> int:
        """Read until the command is over, and return its exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end: {self.text[-3000:]}"
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 0.1)[0]:
            return False
        with suppress(OSError):  # the other end is closed
            part = os.read(self.master, 65536)
            self._raw += part
            return bool(part)
        return False


@contextmanager
def terminal(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    size: tuple[int, int] = (30, 80),
) -> Iterator[Terminal]:
    """Run `backhaul` in a terminal with that many lines and columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    mine = {k: v for k, v in environment.items() if k not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        ["/bin/sh", "-c", OPEN, os.ttyname(slave), COMMAND, *arguments],
        cwd=folder,
        env={**mine, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(master)
