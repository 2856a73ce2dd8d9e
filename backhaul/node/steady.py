"""A time that only goes forward, for a node whose clock may be wrong or jump."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backhaul.settings import Part

DAY_S = 86_400
UNSET_S = 19_700.0 * DAY_S
"""A clock that shows an earlier day, in 2023, has not been set since the machine started."""
_SLEW_S = 2.0
"""Clocks that are disciplined move by less between two looks at them."""
_BACK_S = 3_700.0
"""By so much the hour of the day may go back, as in autumn; it is waited for."""


@dataclass(frozen=True, slots=True)
class Now:
    """What both clocks of a node say.

    Args:
        wall_s: Local time, seconds since the local 1970-01-01 00:00; may be wrong, and jump.
        mono_s: Seconds since the machine started; never goes back while it runs.
    """

    wall_s: float
    mono_s: float


class Steady(Part):
    """Where a steady time stands, to go on from after a restart.

    Args:
        t: The steady time; None = it never ran.
        ahead_s: By how much it is ahead of the wall clock, whole days.
        credit_s: Time that passed since a jump forward was last believed.
        wall_s: What the wall clock said; None in journals that did not keep it.
    """

    t: float | None = None
    ahead_s: float = 0.0
    credit_s: float = DAY_S
    wall_s: float | None = None


class SteadyTime:
    """Time for allowances and windows: that of the wall clock, but it never goes back.

    It has the wall clock's hour of the day, so that hours and days begin when people expect
    it. Where that clock goes back by an hour, this one stands still for as long; by more, and
    whole days are added. Where it jumps forward, it is believed, but once a day: an allowance
    cannot be had again and again by a clock that swings. In between, time passes as by the
    monotonic clock. What went by while the machine was off is no jump.

    Args:
        saved: Where it stood.
        now: What the clocks say at the start; the wall clock went on while the machine was off.
    """

    def __init__(self, saved: Steady, now: Now) -> None:
        self._t = now.wall_s if saved.t is None else saved.t + _off_s(saved, now)
        self._ahead_s, self._credit_s = saved.ahead_s, saved.credit_s
        self._mono_s, self._wall_s = now.mono_s, now.wall_s
        self.at(now)

    @property
    def saved(self) -> Steady:
        """Where it stands."""
        return Steady(
            t=self._t, ahead_s=self._ahead_s, credit_s=self._credit_s, wall_s=self._wall_s
        )

    def at(self, now: Now) -> float:
        """Return the steady time, in seconds; it was never later before."""
        self._wall_s = now.wall_s
        passed = max(now.mono_s - self._mono_s, 0.0)
        self._mono_s = max(now.mono_s, self._mono_s)
        self._credit_s = min(self._credit_s + passed, DAY_S)
        expected = self._t + passed
        if now.wall_s < UNSET_S:
            self._t = expected
            return self._t
        self._turn_days(now.wall_s, expected)
        told = now.wall_s + self._ahead_s
        if told - expected > _SLEW_S:
            self._leap(told, expected)
        else:
            self._t = max(self._t, told)  # it stands still until the clock is there again
        return self._t

    def _turn_days(self, wall_s: float, expected: float) -> None:
        """Add whole days where the wall clock went back, and take them back where it can."""
        gap = wall_s + self._ahead_s - expected
        if gap < -_BACK_S:
            self._ahead_s += math.ceil(-gap / DAY_S) * DAY_S
        elif gap >= DAY_S:
            self._ahead_s -= min(self._ahead_s, gap // DAY_S * DAY_S)

    def _leap(self, told: float, expected: float) -> None:
        if self._credit_s >= DAY_S:
            self._t, self._credit_s = told, 0.0
        else:
            self._t = expected


def _off_s(saved: Steady, now: Now) -> float:
    """Return how long the machine was off, by its wall clock; 0 if that cannot be told."""
    if saved.wall_s is None or saved.wall_s < UNSET_S:
        return 0.0
    return max(now.wall_s - saved.wall_s, 0.0)
