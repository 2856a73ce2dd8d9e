"""The time of a link: when it is up, and when its periods begin.

Times are in seconds since the midnight before the first batch, in the node's own time.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from backhaul.link.hours import MINUTES_A_DAY, up_minutes
from backhaul.link.settings import Link, Period

HOUR_S, DAY_S = 3_600, 86_400


@dataclass(frozen=True)
class Clock:
    """When a link is up, and when its periods begin.

    Args:
        link: The link.
    """

    link: Link

    @property
    def begins_s(self) -> int:
        """When the first window begins."""
        return self.link.begins_hour * HOUR_S

    def window(self, number: int) -> tuple[float, float]:
        """Return when a window begins and ends."""
        begin = self.begins_s + number * self.link.window_s
        return float(begin), float(begin + self.link.window_s)

    def window_at(self, t: float) -> int:
        """Return the number of the first window that begins at `t` or later."""
        return math.ceil((t - self.begins_s) / self.link.window_s)

    def period(self, kind: Period, t: float) -> int:
        """Return the number of the hour, day or window in which `t` is."""
        first, length = self._grid(kind)
        return int((t - first) // length)

    def next_period(self, kind: Period, t: float) -> float:
        """Return when the hour, day or window after that of `t` begins."""
        first, length = self._grid(kind)
        return float(first + (self.period(kind, t) + 1) * length)

    def is_up(self, t: float) -> bool:
        """Return whether the link is up at `t`."""
        return self._state(t)[0]

    def next_change(self, t: float) -> float:
        """Return when the link next goes down or comes up, infinite if it is always up."""
        return self._state(t)[1]

    def _grid(self, kind: Period) -> tuple[int, int]:
        if kind == "window":
            return self.begins_s, self.link.window_s
        return 0, HOUR_S if kind == "hour" else DAY_S

    def _state(self, t: float) -> tuple[bool, float]:
        if not self._changes:
            return True, math.inf
        day = t // DAY_S * DAY_S
        passed = bisect_right(self._changes, t - day)
        follows = [*self._changes, self._changes[0] + DAY_S]
        begins_up = self._up_at_midnight if passed % 2 == 0 else not self._up_at_midnight
        return begins_up, day + follows[passed]

    @cached_property
    def _up_minutes(self) -> tuple[bool, ...]:
        return up_minutes(self.link.hours, self.link.minutes_an_hour)

    @property
    def _up_at_midnight(self) -> bool:
        return self._up_minutes[0]

    @cached_property
    def _changes(self) -> tuple[int, ...]:
        """Seconds of a day, in (0, 86400], at which it goes down or comes up."""
        up = self._up_minutes
        within = tuple(m * 60 for m in range(1, MINUTES_A_DAY) if up[m] != up[m - 1])
        return (*within, DAY_S) if up[0] != up[-1] else within
