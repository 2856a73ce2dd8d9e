"""Which files of a source were taken before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from backhaul.node.sources.source import Shot


class Taken(Protocol):
    """Remembers the files of a source that were taken, across restarts."""

    def taken(self) -> dict[str, str]:
        """Return their versions by name."""
        ...

    def take(self, name: str, version: str) -> None:
        """Remember that one was taken."""
        ...

    def forget_taken(self, names: Iterable[str]) -> None:
        """Forget those that are no longer there."""
        ...


class Done:
    """Lets a file count as taken once its frame is done with, and no earlier.

    Were it counted when it is given away, and the process ended while it is looked at, nobody
    would ever have looked at it.

    Args:
        taken: Remembers it.
    """

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._given: Shot | None = None

    def later(self, shot: Shot) -> Shot:
        """Let a frame that is given away count when `all` is called next; return it."""
        self._given = shot
        return shot

    def all(self) -> None:
        """Let what was given away count."""
        shot, self._given = self._given, None
        if shot is not None:
            self._taken.take(shot.name, shot.version)
