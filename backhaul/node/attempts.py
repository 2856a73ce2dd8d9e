"""At which frame the process ended, so that none ends it again and again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backhaul.node.sources.source import Shot

NAME = "trying"
MOST_DEATHS = 2
"""A frame at which the process ended so often is not looked at; a model goes after three."""


class Attempts:
    """Watches looks at frames that come again after a restart, as files of a folder do.

    While a frame is looked at, a file says which. If the process ends then, as where memory
    runs out or a decoder fails for good, the next one finds it there. A loss of power is not
    the frame's fault, so the file is not synced; it stays open, as making it for each frame
    would take as long as telling frames apart.

    Args:
        marker: That file.
    """

    def __init__(self, marker: Path) -> None:
        self._frame, self._deaths = _read(marker)
        self._file = os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600)

    def is_hopeless(self, shot: Shot) -> bool:
        """Return whether the process ended too often at a frame."""
        return self._deaths >= MOST_DEATHS and _frame_of(shot) == self._frame

    @contextmanager
    def at(self, shot: Shot) -> Iterator[None]:
        """Watch a look at a frame."""
        if not shot.version:
            yield
            return
        frame = _frame_of(shot)
        deaths = self._deaths if frame == self._frame else 0
        with suppress(OSError):  # a full disk keeps no frame from being looked at
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps([*frame, deaths]).encode(), 0)
        yield
        with suppress(OSError):
            os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _frame_of(shot: Shot) -> tuple[str, str]:
    return shot.name, shot.version


def _read(marker: Path) -> tuple[tuple[str, str], int]:
    """Return the frame at which the process ended, and how often in a row."""
    try:
        name, version, deaths = json.loads(marker.read_bytes())
        return (str(name), str(version)), 1 + int(deaths)
    except (OSError, ValueError, TypeError):
        return ("", ""), 0
