"""A link in words."""

from __future__ import annotations

from backhaul.link.settings import Allowance, Link

HOUR_S, DAY_S = 3_600, 86_400
_PERIODS = {HOUR_S: "hour", DAY_S: "day"}


def described(link: Link) -> str:
    """Return rate, hours and allowances in one line.

    Example:
        >>> described(Link(uplink_kbit_s=64, minutes_an_hour=10))
        '64 kbit/s, 10 minutes an hour'
    """
    rate = None if link.uplink_kbit_s is None else f"{link.uplink_kbit_s:g} kbit/s"
    hours = " and ".join(link.hours)
    minutes = None if link.minutes_an_hour == 60 else f"{link.minutes_an_hour} minutes an hour"  # noqa: PLR2004 - all of it
    rules = [_rule(each) for each in link.allowances]
    return ", ".join(part for part in (rate, hours, minutes, *rules) if part)


def span_of(link: Link) -> str:
    """Return the time of one batch, for example ``hour`` or ``window of 1800 s``."""
    return _PERIODS.get(link.window_s, f"window of {link.window_s} s")


def _rule(allowance: Allowance) -> str:
    limits = ((allowance.images, "images"), (allowance.bytes, "bytes"))
    most = " and ".join(f"{limit:,} {unit}" for limit, unit in limits if limit is not None)
    period = f"a {allowance.period}" if allowance.period != "hour" else "an hour"
    kept = f", {allowance.carry_over:g} carried over" if allowance.carry_over else ""
    return f"at most {most} {period}{kept}"
