"""What a source of frames is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame as it was captured.

    Args:
        name: What the source calls it.
        captured_s: When it was captured, seconds since 1970 (UTC).
        read: Returns its file; whatever it raises, the frame cannot be read.
        size_bytes: Of that file; 0 = not known before it is read.
        version: What tells this file from another of the same name; empty for a frame that
            cannot come again.
    """

    name: str
    captured_s: float
    read: Callable[[], bytes]
    size_bytes: int = 0
    version: str = ""


def name_of(path: Path, folder: Path) -> str:
    """Return what a file below a folder is called: valid text, whatever bytes its name has."""
    return os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")


class Source(Protocol):
    """Gives frames, one at a time, to whoever asks."""

    def next(self) -> Shot | None:
        """Return the next frame; None if there is none for now. It does not wait for one.

        The one before is done with then: it does not come again after a restart.
        """
        ...

    def wait_s(self) -> float:
        """Return after how many seconds it is worth to ask again."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether no frame will come any more, as at the end of a video."""
        ...

    def passed(self) -> int:
        """Return how many frames went by since it was last asked, as nobody took them."""
        ...

    def state(self) -> str:
        """Return what is wrong with it, in words; empty if nothing is."""
        ...

    def close(self) -> None:
        """Let go of what it has open."""
        ...
