"""The time of a link: when it is up, and when its periods begin.

Times are in seconds since the midnight before the first batch, in the node's own time. Months
are those of a calendar in which that is the first day of 1970; a node that has a clock counts
from that day.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from backhaul.link.hours import MINUTES_A_DAY, up_minutes
from backhaul.link.settings import Allowance, Link

HOUR_S, DAY_S = 3_600, 86_400
_FIRST_DAY = date(1970, 1, 1).toordinal()


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

    def period(self, allowance: Allowance, t: float) -> int:
        """Return the number of the allowance's hour, day, month or window in which `t` is."""
        if allowance.period == "month":
            return _month(t, allowance.month_begins)
        first, length = self._grid(allowance)
        return int((t - first) // length)

    def next_period(self, allowance: Allowance, t: float) -> float:
        """Return when the hour, day, month or window after that of `t` begins."""
        number = self.period(allowance, t) + 1
        if allowance.period == "month":
            return _month_begins_s(number, allowance.month_begins)
        first, length = self._grid(allowance)
        return float(first + number * length)

    def is_up(self, t: float) -> bool:
        """Return whether the link is up at `t`."""
        return self._state(t)[0]

    def next_change(self, t: float) -> float:
        """Return when the link next goes down or comes up, infinite if it is always up."""
        return self._state(t)[1]

    def _grid(self, allowance: Allowance) -> tuple[int, int]:
        if allowance.period == "window":
            return self.begins_s, self.link.window_s
        return 0, HOUR_S if allowance.period == "hour" else DAY_S

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


def _month(t: float, begins: int) -> int:
    """Return the number of the month in which `t` is, where months begin on that day."""
    day = date.fromordinal(_FIRST_DAY + int(t // DAY_S))
    return day.year * 12 + day.month - 1 - (day.day < begins)


def _month_begins_s(month: int, begins: int) -> float:
    first = date(month // 12, month % 12 + 1, begins)
    return float((first.toordinal() - _FIRST_DAY) * DAY_S)
