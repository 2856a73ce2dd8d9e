"""A file of lines that grows, and survives a kill at any time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from backhaul.storage.objects import replace
from backhaul.untrusted import MOST_TABLE_BYTES, read_bytes, text_of


class Lines:
    """A file of lines to which whole lines are appended, and that survives a kill at any time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[str]:
        """Return its whole lines; one that was being written when the machine died is none."""
        if not self.path.exists():
            return []
        whole, _, _ = read_bytes(self.path, MOST_TABLE_BYTES).rpartition(b"\n")
        text = text_of(self.path, whole)
        return text.split("\n") if text else []  # a name may hold what splitlines splits at

    def append(self, line: str) -> None:
        """Write a line, on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            _cut_torn(file)
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def write(self, lines: Iterable[str]) -> None:
        """Replace all of its lines."""
        replace(self.path.resolve().as_posix(), "".join(f"{x}\n" for x in lines).encode())


def _cut_torn(file: BinaryIO) -> None:
    """Cut off a last line that is not whole, of a file that is open at its end."""
    if not file.tell():
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
