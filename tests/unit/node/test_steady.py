from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backhaul.node.steady import DAY_S, Now, Steady, SteadyTime

HOUR = 3_600.0
TODAY = 20_000 * DAY_S


def run(*steps: tuple[float, float]) -> list[float]:
    """Return the steady times at (wall, mono)."""
    time = SteadyTime(Steady(), Now(*steps[0]))
    return [time.at(Now(*step)) for step in steps]


def test_follows_a_good_clock() -> None:
    assert run((TODAY, 5), (TODAY + 10, 15), (TODAY + HOUR, 5 + HOUR)) == [
        TODAY,
        TODAY + 10,
        TODAY + HOUR,
    ]


def test_believes_a_jump_forward_once_a_day() -> None:
    start, far = TODAY, TODAY + 40 * DAY_S
    times = run((start, 0), (far, 10), (start + 20, 20), (far + 30, 30), (far + 40, 40))
    assert times[1] == far
    assert times[-1] - far < DAY_S + 60  # swinging back and forth brought no second leap


def test_keeps_the_hour_of_the_day_where_the_clock_goes_back() -> None:
    start = TODAY + 8 * HOUR
    back = start - 30 * DAY_S - 2 * HOUR
    times = run((start, 0), (back, 1), (back + 2 * DAY_S, 1 + 2 * DAY_S))
    assert times[-1] % DAY_S == (back + 2 * DAY_S) % DAY_S
    assert times[-1] < start + 3 * DAY_S


def test_stands_still_for_the_hour_of_autumn() -> None:
    start = TODAY
    times = run((start, 0), (start - HOUR + 60, 60), (start + 60, HOUR + 60))
    assert times == [start, start + 60, start + 60] or times[1] <= start + 60
    assert times[-1] == start + 60


def test_goes_on_after_a_restart_without_a_clock() -> None:
    time = SteadyTime(Steady(), Now(TODAY, 100))
    time.at(Now(TODAY + 500, 600))
    again = SteadyTime(time.saved, Now(0.0, 3))  # no battery: 1970, monotonic time anew
    assert again.at(Now(1.0, 4)) >= TODAY + 500
    later = again.at(Now(TODAY + 2 * DAY_S, 60))  # the clock was set meanwhile
    assert later % DAY_S == 0


def test_a_node_that_is_off_each_night_keeps_the_hour() -> None:
    saved, wall = Steady(), TODAY + 6 * HOUR
    for _ in range(5):  # as one that lives on the sun: twelve hours on, twelve off
        time = SteadyTime(saved, Now(wall, 10.0))
        assert time.at(Now(wall + 1, 11.0)) == wall + 1
        time.at(Now(wall + 12 * HOUR, 10 + 12 * HOUR))
        saved, wall = time.saved, wall + 24 * HOUR


@given(
    st.lists(
        st.tuples(st.floats(-40 * DAY_S, 40 * DAY_S), st.floats(0, 2 * DAY_S)), max_size=30
    )
)
def test_never_goes_back_and_never_runs_away(jumps: list[tuple[float, float]]) -> None:
    wall = start = TODAY + 100.0 * DAY_S
    mono, leaps = 0.0, 0
    time = SteadyTime(Steady(), Now(wall, mono))
    before = time.at(Now(wall, mono))
    for jump, passed in jumps:
        wall, mono = wall + passed + jump, mono + passed
        t = time.at(Now(wall, mono))
        assert t >= before
        leaps += t - before > passed + 10
        before = t
    assert leaps <= 1 + mono // DAY_S
    assert start <= before
