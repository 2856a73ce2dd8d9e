"""Times of the day when a link is up."""

from __future__ import annotations

import re
from collections.abc import Sequence

MINUTES_A_DAY = 1_440

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


def minutes_of(hours: str) -> tuple[int, int]:
    """Return beginning and end of a part of the day, in minutes since midnight.

    One over midnight ends before it begins.

    Example:
        >>> minutes_of("22:00-06:00")
        (1320, 360)

    Raises:
        ValueError: If it is no part of a day.
    """
    found = _HOURS.fullmatch(hours)
    if found is None:
        raise ValueError(f'expected hours as "22:00-06:00", got {hours!r}')
    first, minute, last, last_minute = found.groups()
    begin = int(first) * 60 + int(minute)
    end = MINUTES_A_DAY if last is None else int(last) * 60 + int(last_minute)
    if begin == end:
        raise ValueError(f"{hours!r} is no time at all; leave hours empty for always")
    return begin, end


def up_minutes(hours: Sequence[str], minutes_an_hour: int) -> tuple[bool, ...]:
    """Return for each minute of a day whether a link is up, 1440 of them.

    Args:
        hours: Parts of the day when it is up; none = all day.
        minutes_an_hour: It is up in the first so many minutes of each hour.
    """
    spans = [minutes_of(each) for each in hours] or [(0, MINUTES_A_DAY)]
    return tuple(
        minute % 60 < minutes_an_hour and any(_within(minute, *span) for span in spans)
        for minute in range(MINUTES_A_DAY)
    )


def _within(minute: int, begin: int, end: int) -> bool:
    if begin < end:
        return begin <= minute < end
    return minute >= begin or minute < end
