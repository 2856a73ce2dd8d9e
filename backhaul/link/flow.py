"""How bytes go over a link: at its rate, while it is up, and while allowances last."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backhaul.link.clock import Clock
from backhaul.link.ledger import Meter

LEAST_BYTES = 1e-6
"""Less is nothing: it is left over where floats are added up."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What became of some bytes that were to go over a link.

    Args:
        end_s: When the last of them left, or until when it was tried.
        n_bytes: Those that went.
        busy_s: How long that took, without waiting.
    """

    end_s: float
    n_bytes: float
    busy_s: float


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a link.

    Args:
        clock: The time of the link.
        rate: Bytes per second, may be infinite.
        meter: The allowances in which bytes are counted; None = they do not count.
    """

    clock: Clock
    rate: float
    meter: Meter | None

    def carry(self, n_bytes: float, start_s: float, until_s: float = math.inf) -> Flow:
        """Let bytes go; where the link goes down or an allowance is used up, they wait.

        Args:
            n_bytes: How many; infinite to see how many can go until `until_s`.
            start_s: When the first may go.
            until_s: When no more may go.
        """
        t, left, gone, busy_s = start_s, n_bytes, 0.0, 0.0
        while left > LEAST_BYTES and t < until_s:
            pause, allowed = min(self.pause(t), until_s), self.allowed(t)
            if allowed <= LEAST_BYTES:
                t = pause
                continue
            fits = self.rate * (pause - t)
            part = min(left, allowed, fits)
            took = part / self.rate
            t = pause if part == fits else t + took
            left, gone, busy_s = left - part, gone + part, busy_s + took
            if self.meter is not None:
                self.meter.count(n_bytes=part)
        return Flow(t, gone, busy_s)

    def pause(self, t: float) -> float:
        """Return when what is allowed at `t` may change by itself."""
        change = self.clock.next_change(t)
        return change if self.meter is None else min(change, self.meter.next_grant(t))

    def allowed(self, t: float) -> float:
        """Return how many bytes may go from `t` on: 0 while the link is down.

        The allowances are brought to that time.
        """
        if self.meter is not None:
            self.meter.advance(t)
        if not self.clock.is_up(t):
            return 0.0
        return math.inf if self.meter is None else self.meter.bytes
