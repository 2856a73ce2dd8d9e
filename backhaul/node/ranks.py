"""Values of frames as ranks, so that those of two models can be compared."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable


class Ranks:
    """Ranks of utilities among the most recent ones that the same model gave.

    Utilities of two models have different scales, and drift with the scene. Ranks have neither.

    Args:
        most: How many recent utilities are remembered.
        recent: Those that are known already, oldest first.
    """

    def __init__(self, most: int = 1_000, recent: Iterable[float] = ()) -> None:
        self._recent: deque[float] = deque(maxlen=most)
        self._sorted: list[float] = []
        for utility in recent:
            self._remember(utility)

    @property
    def recent(self) -> tuple[float, ...]:
        """The utilities that are remembered, oldest first."""
        return tuple(self._recent)

    def rank(self, utility: float) -> float:
        """Return the rank of a utility, in (0, 1), and remember it.

        It is the part of the remembered utilities that are smaller, with half of those that
        are equal, itself among them; .5 for the first one.
        """
        self._remember(utility)
        return self.place(utility)

    def place(self, utility: float) -> float:
        """Return the rank of a utility that is remembered, in (0, 1)."""
        below = bisect_left(self._sorted, utility)
        up_to = bisect_right(self._sorted, utility)
        return (below + up_to) / 2 / len(self._sorted)

    def _remember(self, utility: float) -> None:
        if len(self._recent) == self._recent.maxlen:
            del self._sorted[bisect_left(self._sorted, self._recent[0])]
        self._recent.append(utility)
        insort(self._sorted, utility)
