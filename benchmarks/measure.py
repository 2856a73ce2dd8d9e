"""Time our code and a peer side by side."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import NamedTuple

REPEATS = 5


class Row(NamedTuple):
    """What was measured.

    Args:
        name: What is done, and how much of it.
        ours_s: Our seconds, the median of several runs.
        peer_s: The peer's seconds, likewise.
        peer: What we are compared with.
        limit: What our time goes to, from a profile.
    """

    name: str
    ours_s: float
    peer_s: float
    peer: str
    limit: str

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer we are."""
        return self.peer_s / self.ours_s


def compare(
    ours: Callable[[], object], peer: Callable[[], object], repeats: int = REPEATS
) -> tuple[float, float]:
    """Return the median seconds of ours and of the peer.

    They take turns, so that a machine that gets slower or faster meanwhile does so for both;
    with three runs or more the median leaves out what only the first one does (imports).
    """
    times = [(_seconds(ours), _seconds(peer)) for _ in range(repeats)]
    return median(t for t, _ in times), median(t for _, t in times)


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
