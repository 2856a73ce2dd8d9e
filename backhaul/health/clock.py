"""The difference between this machine's clock and another's."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from backhaul.health.check import Answer, failed, ok

MOST_S = 5.0
SET_CLOCK = "timedatectl set-ntp true  (on the machine whose clock is wrong)"


def compare_clocks(read_date: Callable[[], str]) -> Answer:
    """Compare the date of an HTTP answer with the time at which it was given.

    Args:
        read_date: Asks, and returns the header `Date`, which knows whole seconds only.
    """
    before = time.time()
    date = parsedate_to_datetime(read_date()).timestamp()
    after = time.time()
    ahead = max(before - (date + 1.0), 0.0) - max(date - after, 0.0)
    if abs(ahead) < MOST_S:
        return ok(f"less than {abs(ahead) + 1:.0f} s apart")
    side = "ahead of" if ahead > 0 else "behind"
    return failed(
        f"this machine is {abs(ahead):.0f} s {side} the other, most is {MOST_S:g} s",
        SET_CLOCK,
    )
