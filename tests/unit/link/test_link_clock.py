"""When a link is up, against a look at each minute, and what of hours is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backhaul.link.clock import Clock
from backhaul.link.settings import Allowance, Link, LinkedBandwidth
from backhaul.link.wording import described


def up_in(link: Link, minute: int) -> bool:
    """Return whether a link is up in a minute of a day, read off its settings."""
    if minute % 60 >= link.minutes_an_hour:
        return False
    for hours in link.hours:
        begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
        if begin <= minute < end or (end < begin and not end <= minute < begin):
            return True
    return not link.hours


HOURS = st.sampled_from(
    [(), ("22:00-06:00",), ("00:00-12:00",), ("06:30-24:00",), ("05:00-05:20", "23:10-01:00")]
)


@given(HOURS, st.sampled_from([1, 10, 60]), st.integers(0, 3 * 1_440 - 1))
def test_it_is_up_as_its_hours_say(hours: tuple[str, ...], minutes: int, minute: int) -> None:
    link = Link(uplink_kbit_s=1, hours=hours, minutes_an_hour=minutes)
    clock, up = Clock(link), up_in(link, minute % 1_440)
    for t in (minute * 60.0, minute * 60.0 + 59.999):
        assert clock.is_up(t) is up
    change = clock.next_change(minute * 60.0)
    days = range(minute + 1, minute + 1 + 2 * 1_440)
    expected = next((m * 60.0 for m in days if up_in(link, m % 1_440) is not up), math.inf)
    assert change == expected


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hours": ["6-22"]}, "expected hours as"),
        ({"hours": ["25:00-06:00"]}, "expected hours as"),
        ({"hours": ["06:00-06:00"]}, "no time at all"),
        ({"latency_s": 60, "window_s": 60}, "latency_s: expected less than window_s"),
        ({"hours": ["10:30-10:50"], "minutes_an_hour": 10}, "no minute in common"),
        ({"uplink_kbit_s": None}, "expected uplink_kbit_s, allowances, or both"),
        ({"allowances": [{"period": "hour"}]}, "expected images, bytes, or both"),
        ({"loss": 1}, "less than or equal to 0.9"),
    ],
)
def test_what_is_no_link_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Link.model_validate({"uplink_kbit_s": 64} | wrong)


def test_a_bandwidth_needs_one_limit_of_three() -> None:
    with pytest.raises(ValidationError, match="images, bytes, link"):
        LinkedBandwidth(per_node=True)
    assert LinkedBandwidth(link=Link(uplink_kbit_s=1)).images is None


def test_it_is_described_in_one_line() -> None:
    link = Link(
        uplink_kbit_s=64,
        hours=["22:00-06:00"],
        allowances=[
            Allowance(period="hour", images=20, carry_over=2),
            Allowance(period="day", images=5, bytes=10_000),
        ],
    )
    assert described(link) == (
        "64 kbit/s, 22:00-06:00, at most 20 images an hour, 2 carried over, "
        "at most 5 images and 10,000 bytes a day"
    )
