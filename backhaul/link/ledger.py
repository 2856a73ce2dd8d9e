"""What is left of a link's allowances."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backhaul.link.clock import Clock
from backhaul.link.settings import Allowance
from backhaul.settings import Part


class Balance(Part):
    """What is left of one allowance in a period.

    Args:
        period: Number of the period.
        images: Images that may still be begun, with what was carried over; None = no limit.
        bytes: Bytes that may still go over the wire, likewise.
    """

    period: int
    images: float | None = None
    bytes: float | None = None


class Ledger(Part):
    """What is left of all allowances of a node's link, in their order.

    Args:
        balances: One for each allowance; none before anything was sent.
    """

    balances: tuple[Balance, ...] = ()


@dataclass(slots=True)
class _Account:
    """One allowance as it is used up; what has no limit is infinite."""

    allowance: Allowance
    period: int
    images: float
    bytes: float

    def enter(self, period: int) -> None:
        """Go on to a later period: each brings its allowance, and what is too much lapses."""
        passed = period - self.period
        if passed > 0:
            grants, keeps = self.allowance, 1 + self.allowance.carry_over
            self.images = _granted(self.images, grants.images, passed, keeps)
            self.bytes = _granted(self.bytes, grants.bytes, passed, keeps)
            self.period = period


class Meter:
    """Counts what goes over a link against its allowances, forward in time.

    Args:
        clock: The time of the link.
        ledger: What was left at first; one without balances begins with the first window.
    """

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        allowances = clock.link.allowances
        balances = ledger.balances or [_whole(each, clock) for each in allowances]
        self._clock = clock
        self._accounts = [
            _Account(allowance, each.period, _limit(each.images), _limit(each.bytes))
            for allowance, each in zip(allowances, balances, strict=True)
        ]

    def advance(self, t: float) -> None:
        """Bring all allowances to the time `t`; earlier times change nothing."""
        for account in self._accounts:
            account.enter(self._clock.period(account.allowance, t))

    def next_grant(self, t: float) -> float:
        """Return when the next period of any allowance begins; infinite if there is none."""
        every = (self._clock.next_period(each.allowance, t) for each in self._accounts)
        return min(every, default=math.inf)

    @property
    def images(self) -> int | None:
        """Images that may be begun now; None = no limit."""
        left = min((account.images for account in self._accounts), default=math.inf)
        return None if math.isinf(left) else math.floor(left)

    @property
    def bytes(self) -> float:
        """Bytes that may go over the wire now, >= 0, infinite for no limit."""
        return min((account.bytes for account in self._accounts), default=math.inf)

    def count(self, *, images: int = 0, n_bytes: float = 0.0) -> None:
        """Take what is sent from all allowances."""
        for account in self._accounts:
            account.images -= images
            account.bytes = max(account.bytes - n_bytes, 0.0)

    @property
    def ledger(self) -> Ledger:
        """What is left."""
        return Ledger(
            balances=tuple(
                Balance(
                    period=account.period,
                    images=_finite(account.images),
                    bytes=_finite(account.bytes),
                )
                for account in self._accounts
            )
        )


def _whole(allowance: Allowance, clock: Clock) -> Balance:
    period = clock.period(allowance, clock.begins_s)
    return Balance(period=period, images=allowance.images, bytes=allowance.bytes)


def _granted(left: float, grant: int | None, periods: int, keeps: float) -> float:
    return math.inf if grant is None else min(left + periods * grant, keeps * grant)


def _limit(left: float | None) -> float:
    return math.inf if left is None else left


def _finite(left: float) -> float | None:
    return None if math.isinf(left) else left
