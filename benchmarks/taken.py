"""What a process takes for a frame."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

WARM = 10
"""Frames before those that are timed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process took.

    Args:
        frame_s: Seconds of the processor for each frame.
        first_s: Seconds from the start of the process to the end of the first frame.
        peak_bytes: Its greatest resident memory.
    """

    frame_s: float
    first_s: float
    peak_bytes: int

    def line(self) -> str:
        """Return this as a line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, text: str) -> Self:
        """Return what `line` wrote."""
        return cls(**json.loads(text))


def taken_by(work: Callable[[int], None], n: int, started_s: float) -> Taken:
    """Return what `n` frames take, after the first ones.

    Args:
        work: Does all frames up to a number.
        n: Frames that are timed.
        started_s: When the process was started, seconds since 1970.
    """
    work(1)
    first_s = time.time() - started_s
    work(WARM)
    begun_s = time.process_time()
    work(WARM + n)
    frame_s = (time.process_time() - begun_s) / n
    return Taken(frame_s, first_s, _peak_bytes())


def _peak_bytes() -> int:
    """Return the greatest resident memory of this process, which Linux says in kB.

    `resource` would count that of the process that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [peak] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024
