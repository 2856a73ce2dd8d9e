"""Which files of a source were taken before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


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
