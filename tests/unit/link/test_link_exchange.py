"""A round over the link, and where that leaves the next one."""

from __future__ import annotations

import numpy as np
import pytest

from backhaul.link.exchange import exchange
from backhaul.link.settings import Allowance, Link
from backhaul.link.state import LinkState, bandwidth_in_window
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import ALL_NODES, Bandwidth
from backhaul.values.columns import names_of

RNG = np.random.default_rng
ARTIFACT = Artifact(uri="a", sha256="a")


def sizes(*given: int) -> np.ndarray:
    return np.array(given, dtype=np.int64)


def test_the_next_round_waits_for_a_model_that_takes_longer_than_the_window() -> None:
    link = Link(uplink_kbit_s=8, window_s=600)
    went = exchange(link, LinkState(), {ALL_NODES: sizes(100_000)}, 700_000, rng=RNG(0))
    carried = went.carried(ARTIFACT)
    assert carried.last_arrival_s == 100
    assert carried.model_s == 800
    assert carried.round_s == 1_200
    assert carried.after.window == 2
    assert (carried.wire_bytes, carried.model_bytes) == (100_000, 700_000)
    assert (carried.link_busy_s, carried.images_late) == (100, 0)


def test_without_anything_sent_and_a_model_the_next_window_follows() -> None:
    went = exchange(Link(uplink_kbit_s=8), LinkState(window=3), {}, None, rng=RNG(0))
    carried = went.carried(ARTIFACT)
    assert (carried.last_arrival_s, carried.model_s, carried.model_bytes) == (None, None, 0)
    assert (carried.window, carried.after.window, carried.round_s) == (3, 4, 3_600)
    assert len(went.table({})) == 0


def test_what_one_node_did_not_use_is_its_own() -> None:
    rule = Allowance(period="window", images=4, carry_over=1)
    link = Link(allowances=(rule,))
    sent = {"cam00": sizes(*[10] * 4), "cam01": sizes(10)}
    after = exchange(link, LinkState(), sent, None, rng=RNG(0)).after
    assert bandwidth_in_window(None, link, after, "cam00").images == 4
    assert bandwidth_in_window(None, link, after, "cam01").images == 7
    assert bandwidth_in_window(None, link, after, "cam02").images == 8


def test_all_limits_hold_at_once() -> None:
    link = Link(uplink_kbit_s=8, allowances=[Allowance(period="hour", images=9)])
    first = LinkState()
    both = bandwidth_in_window(Bandwidth(images=5), link, first)
    assert both == Bandwidth(images=5, bytes=3_600_000)
    both = bandwidth_in_window(Bandwidth(images=12, bytes=70), link, first)
    assert both == Bandwidth(images=9, bytes=70)


def test_a_model_that_counts_leaves_less_for_the_next_images() -> None:
    rule = Allowance(period="day", bytes=10_000)
    link = Link(uplink_kbit_s=80, allowances=(rule,), model_counts=True)
    after = exchange(link, LinkState(), {ALL_NODES: sizes(2_000)}, 5_000, rng=RNG(0)).after
    assert bandwidth_in_window(None, link, after).bytes == 3_000


def test_the_table_has_the_images_in_the_order_sent() -> None:
    link = Link(uplink_kbit_s=8, begins_hour=6)
    sent = {"a": sizes(1_000, 2_000), "b": sizes(500)}
    went = exchange(link, LinkState(window=1), sent, None, rng=RNG(0))
    table = went.table({"a": names_of(["x", "y"]), "b": names_of(["z"])})
    assert table["image_id"].tolist() == ["x", "y", "z"]
    assert table["node"].tolist() == ["a", "a", "b"]
    assert table["begun_s"].tolist() == pytest.approx([0, 1, 0])
    assert table["arrived_s"].tolist() == pytest.approx([1, 3, 0.5])
    assert table["wire_bytes"].tolist() == [1_000, 2_000, 500]


def test_losses_are_the_same_for_the_same_generator() -> None:
    link = Link(uplink_kbit_s=8, loss=0.3, packet_bytes=100)
    sent = {ALL_NODES: sizes(*[5_000] * 9)}
    one, two, other = (
        exchange(link, LinkState(), sent, 90_000, rng=RNG(seed)).carried(ARTIFACT)
        for seed in (1, 1, 2)
    )
    assert one == two != other
