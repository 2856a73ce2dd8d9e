"""What arrives when: laws of every link, and cases reckoned by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.arrays import IntArray
from backhaul.link.clock import Clock
from backhaul.link.ledger import Ledger, Meter
from backhaul.link.settings import Allowance, Link
from backhaul.link.transfer import Upload, budget, download, upload

HOURS = ((), ("22:00-06:00",), ("00:00-00:30", "08:15-09:00"))
PERIODS = ("hour", "day", "window")


@st.composite
def allowances(draw: st.DrawFn) -> Allowance:
    images = draw(st.none() | st.integers(1, 6))
    least = st.integers(500, 20_000)
    n_bytes = draw(least if images is None else st.none() | least)
    return Allowance(
        period=draw(st.sampled_from(PERIODS)),
        images=images,
        bytes=n_bytes,
        carry_over=draw(st.sampled_from((0.0, 0.5, 2.0))),
    )


@st.composite
def links(draw: st.DrawFn, /, **fixed: Any) -> Link:
    settings = {
        "uplink_kbit_s": draw(st.floats(0.05, 200)),
        "latency_s": draw(st.sampled_from((0.0, 0.7))),
        "loss": draw(st.sampled_from((0.0, 0.1))),
        "packet_bytes": 500,
        "overhead_bytes": draw(st.sampled_from((0, 120))),
        "window_s": draw(st.sampled_from((900, 3_600, 5_000))),
        "begins_hour": draw(st.sampled_from((0, 5))),
        "hours": draw(st.sampled_from(HOURS)),
        "minutes_an_hour": draw(st.sampled_from((10, 60))),
        "allowances": tuple(draw(st.lists(allowances(), max_size=2))),
    }
    return Link(**(settings | fixed))


SIZES = st.lists(st.integers(1, 9_000), min_size=1, max_size=12).map(np.array)
STARTS = st.floats(0, 200_000)


def sent(link: Link, sizes: IntArray, start_s: float, **more: Any) -> Upload:
    rng = np.random.default_rng(5)
    return upload(link, Ledger(), sizes, start_s, rng=rng, **more)


@given(links(), SIZES, STARTS)
def test_all_arrive_in_order_and_no_byte_is_lost(
    link: Link, sizes: IntArray, start_s: float
) -> None:
    went = sent(link, sizes, start_s)
    assert np.all(went.begun_s >= start_s)
    assert np.all(went.arrived_s - link.latency_s >= went.begun_s - 1e-9)
    assert np.all(np.diff(went.arrived_s) >= -1e-9)
    assert np.all(went.begun_s[1:] >= went.arrived_s[:-1] - link.latency_s - 1e-9)
    assert went.wire_bytes == pytest.approx(sizes + link.overhead_bytes + went.resent_bytes)
    assert went.busy_s == pytest.approx(went.wire_bytes.sum() / link.up_bytes_s)


@given(links(), SIZES, STARTS, st.floats(1, 30_000))
def test_what_does_not_go_in_time_waits(
    link: Link, sizes: IntArray, start_s: float, length_s: float
) -> None:
    whole = sizes + link.overhead_bytes
    went = sent(link, sizes, start_s, until_s=start_s + length_s)
    assert went.wire_bytes + went.left_bytes == pytest.approx(whole + went.resent_bytes)
    there = ~np.isnan(went.arrived_s)
    assert np.all(went.arrived_s[there] <= start_s + length_s + link.latency_s + 1e-6)
    assert not np.any(np.diff(there.astype(int)) > 0), "one that came later arrived"
    assert np.all(went.left_bytes[there] < 1e-5)
    assert np.all(went.left_bytes[~there] > 0)


@given(links(loss=0.0), SIZES, STARTS)
def test_no_period_has_more_than_its_allowance_and_what_was_kept(
    link: Link, sizes: IntArray, start_s: float
) -> None:
    """Counted anew, file by file; a file is as good as sent whole where it was begun and ended
    in one period, and bytes of others are spread over no period that has not room for them."""
    went = sent(link, sizes, start_s)
    clock = Clock(link)
    for rule in link.allowances:
        images: dict[int, int] = defaultdict(int)
        whole: dict[int, float] = defaultdict(float)
        for begun, ended, n_bytes in zip(
            went.begun_s, went.arrived_s - link.latency_s, went.wire_bytes, strict=True
        ):
            period = clock.period(rule, begun)
            images[period] += 1
            if clock.next_period(rule, begun) > ended + 1e-6:
                whole[period] += n_bytes
        keeps = 1 + rule.carry_over
        assert max(images.values()) <= (rule.images or math.inf) * keeps
        assert max(whole.values(), default=0) <= (rule.bytes or math.inf) * keeps + 1e-3
        periods = 1 + max(images) - clock.period(rule, clock.begins_s)
        if rule.images and periods > 0:
            assert len(sizes) <= rule.images * (periods + rule.carry_over)


@given(allowances(), st.lists(st.tuples(st.floats(0, 40_000), st.floats(0, 9_000)), max_size=9))
def test_what_is_kept_is_never_above_its_limit(
    rule: Allowance, steps: list[tuple[float, float]]
) -> None:
    link = Link(allowances=(rule,))
    meter, t = Meter(Clock(link), Ledger()), 0.0
    for wait_s, n_bytes in steps:
        t += wait_s
        meter.advance(t)
        [left] = meter.ledger.balances
        if rule.images is not None:
            assert left.images is not None
            assert 0 <= left.images <= rule.images * (1 + rule.carry_over)
        if rule.bytes is not None:
            assert left.bytes is not None
            assert 0 <= left.bytes <= rule.bytes * (1 + rule.carry_over)
        meter.count(images=min(meter.images or 0, 1), n_bytes=min(n_bytes, meter.bytes))


@given(links(), SIZES, STARTS, st.floats(1.0, 20.0))
def test_a_faster_link_is_never_later(
    link: Link, sizes: IntArray, start_s: float, times: float
) -> None:
    assert link.uplink_kbit_s is not None
    faster = link.model_copy(update={"uplink_kbit_s": link.uplink_kbit_s * times})
    slow, fast = sent(link, sizes, start_s), sent(faster, sizes, start_s)
    assert np.all(fast.resent_bytes == slow.resent_bytes)
    assert np.all(fast.arrived_s <= slow.arrived_s + 1e-6)


@given(st.floats(0.05, 1e5), SIZES, STARTS)
def test_without_loss_and_latency_time_is_bits_by_rate(
    rate: float, sizes: IntArray, start_s: float
) -> None:
    went = sent(Link(uplink_kbit_s=rate), sizes, start_s)
    expected = start_s + np.cumsum(sizes) * 8 / (rate * 1_000)
    assert went.arrived_s == pytest.approx(expected, rel=1e-9)


@given(links(loss=0.0), st.integers(0, 40), st.data())
def test_what_fits_the_budget_arrives_within_the_window(
    link: Link, number: int, data: st.DataObject
) -> None:
    begin, end = Clock(link).window(number)
    for rule in link.allowances:
        if rule.images is not None and Clock(link).next_period(rule, begin) < end:
            return  # the last may be late there, as `budget` says
    images, n_bytes = budget(link, Ledger(), begin, end)
    most = 12 if images is None else min(images, 12)
    assert n_bytes is not None
    shares = data.draw(st.lists(st.floats(0.01, 1), min_size=1, max_size=12))[:most]
    room = n_bytes - len(shares) * link.overhead_bytes
    sizes = np.floor(np.array(shares) / sum(shares or [1]) * room).astype(np.int64)
    if np.any(sizes < 1):
        return
    went = sent(link, sizes, begin)
    assert np.all(went.arrived_s <= end + 1e-6)


def test_a_rule_of_images_lets_so_many_go_each_hour() -> None:
    link = Link(allowances=[Allowance(period="hour", images=3)])
    went = sent(link, np.full(7, 10), 0.0)
    assert went.arrived_s.tolist() == [0, 0, 0, 3_600, 3_600, 3_600, 7_200]


def test_a_quota_in_bytes_stops_a_file_and_lets_it_go_on() -> None:
    link = Link(uplink_kbit_s=8, allowances=[Allowance(period="day", bytes=1_500)])
    went = sent(link, np.array([1_000, 1_000]), 0.0)
    assert went.begun_s.tolist() == [0, 1]
    assert went.arrived_s.tolist() == [1, 86_400.5]
    assert went.busy_s == pytest.approx(2)


def test_a_link_that_goes_down_at_dawn_goes_on_at_dusk() -> None:
    link = Link(uplink_kbit_s=8, hours=["22:00-06:00"])
    dawn, dusk = 6 * 3_600, 22 * 3_600
    went = sent(link, np.array([3_000]), dawn - 1)
    assert went.arrived_s.tolist() == [dusk + 2]


def test_lost_packets_are_as_many_as_expected() -> None:
    link = Link(uplink_kbit_s=8, loss=0.2, packet_bytes=100)
    went = sent(link, np.full(2_000, 1_000), 0.0)
    assert went.resent_bytes.mean() == pytest.approx(1_000 * 0.2 / 0.8, rel=0.05)
    _, n_bytes = budget(link, Ledger(), 0, 3_600)
    assert n_bytes == math.floor(3_600_000 * 0.8)
    short = sent(link, np.full(2_000, 50), 0.0)  # half a packet, sent again as a whole one
    assert short.resent_bytes.mean() == pytest.approx(100 * 0.2 / 0.8, rel=0.15)


def test_a_model_takes_its_time_and_counts_only_where_it_shall() -> None:
    rule = Allowance(period="day", bytes=1_000)
    quota = {"uplink_kbit_s": 8, "downlink_kbit_s": 16, "allowances": [rule], "latency_s": 0.5}
    rng = np.random.default_rng(0)
    free = download(Link(**quota), Ledger(), 3_000, 0.0, rng=rng)
    assert free.arrived_s == pytest.approx(2.0)
    assert free.after.balances[0].bytes == 1_000
    counted = download(Link(**quota, model_counts=True), Ledger(), 3_000, 0.0, rng=rng)
    assert counted.arrived_s == pytest.approx(2 * 86_400 + 1.0)
    assert counted.after.balances[0].bytes == 0
