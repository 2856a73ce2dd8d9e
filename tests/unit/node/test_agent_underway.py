"""What the agent does with frames that are under way, or that home does not take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from backhaul.link.settings import Allowance, Link
from backhaul.node.agent import Agent
from backhaul.node.frame import Frame
from backhaul.node.happenings import (
    Captured,
    Delivered,
    Effect,
    Event,
    Failed,
    FrameParcel,
    Look,
    Looked,
    NotWritten,
    Parcel,
    Send,
    SidecarParcel,
    StatusParcel,
    SummaryParcel,
    Woke,
    Write,
    Written,
)
from backhaul.node.policies import StreamPolicy
from backhaul.node.records import Memory
from backhaul.node.recovery import Found
from backhaul.node.sight import Sight
from backhaul.node.standing import Rules
from backhaul.node.steady import Now
from tests.nodeworld import ADDITIVE, UNLIMITED, found_in

BEGINS_S = 1.7e9
ALIKE = StreamPolicy(
    utility="confidence", aggregate="max", diversity="none", suppress=True, explore=0.0
)


class Bench:
    """An agent, its time, and what it sends."""

    def __init__(self, **changes: object) -> None:
        rules = Rules("cam", (ADDITIVE,), UNLIMITED, 10**7, status_s=10**9)
        self.t = 0.0
        self.agent = Agent(
            replace(rules, **changes),  # type: ignore[arg-type]
            Found(Memory(), (), (), (), ()),
            self.now(),
        )
        self.sent: list[Parcel] = []
        self.is_full = False
        self.happen(Woke())
        self.happen(Delivered(StatusParcel(), 0, 0))

    def now(self) -> Now:
        return Now(BEGINS_S + self.t, self.t)

    def happen(self, event: Event) -> list[Effect]:
        events, every = [event], list[Effect]()
        while events:
            effects = self.agent.step(self.now(), events.pop(0))
            for effect in effects:
                if isinstance(effect, Write):
                    digest = effect.kept.frame.digest
                    events.append(NotWritten(digest) if self.is_full else Written(digest))
                if isinstance(effect, Send):
                    self.sent.append(effect.parcel)
            every += effects
        return every

    def frame(self, content: bytes, confidence: float, like: int = 0) -> str:
        """Let a frame be looked at; return its digest, empty if it was not kept."""
        shot = Captured("f", 0.0, len(content))
        vector = np.eye(8, dtype=np.float32)[like] * 10
        sight = Sight(
            found_in("f", np.array([confidence])), vector, None, content, ".jpg", 64, 48
        )
        effects = self.happen(shot)
        assert any(isinstance(effect, Look) for effect in effects)
        effects = self.happen(Looked(shot, sight))
        return next((e.kept.frame.digest for e in effects if isinstance(e, Write)), "")

    def play(
        self, refuses: Callable[[Parcel], bool], hours: float = 1.0, step_s: float = 5.0
    ) -> list[Parcel]:
        """Let time pass, and home answer; return what arrived."""
        arrived, answered = list[Parcel](), len(self.sent) - 1
        for _ in range(int(hours * 3_600 / step_s)):
            while len(self.sent) > answered:
                parcel, answered = self.sent[answered], answered + 1
                if refuses(parcel):
                    self.happen(Failed(parcel, 0, 0, "refused", "so"))
                else:
                    arrived.append(parcel)
                    self.happen(Delivered(parcel, 200, 0))
            self.wait(step_s)
        return arrived

    def fail(self, kind: str = "down") -> None:
        self.happen(Failed(self.sent[-1], 0, 0, kind, "so"))  # type: ignore[arg-type]

    def waits(self) -> list[Frame]:
        return list(self.agent.standing.queue)

    def wait(self, seconds: float) -> None:
        self.t += seconds
        self.happen(Woke())


def require_sums(bench: Bench) -> None:
    sums = bench.agent.standing.totals()
    assert sums["seen"] == sums["chosen"] + sums["passed_over"]
    assert sums["chosen"] == sums["sent"] + sums["displaced"] + len(bench.waits())


def test_a_better_frame_does_not_take_the_place_of_one_that_is_under_way() -> None:
    bench = Bench(policies=(ALIKE,))
    first = bench.frame(b"a" * 100, 0.4)
    assert bench.sent[-1] == FrameParcel(first)
    assert bench.frame(b"b" * 90, 0.9) == ""
    assert [frame.digest for frame in bench.waits()] == [first]
    bench.happen(Delivered(FrameParcel(first), 100, 0))
    assert bench.agent.standing.untold.keys() == {first}  # home gets its sidecar
    require_sums(bench)


def test_the_cap_gives_up_no_frame_that_is_under_way() -> None:
    bench = Bench(most_bytes=24_000)
    first = bench.frame(b"a" * 9_000, 0.1)
    kept = [bench.frame(bytes([n]) * 6_000, 0.2 + n / 20) for n in range(10)]
    assert bench.agent.standing.disk_bytes <= 24_000
    assert first in {frame.digest for frame in bench.waits()}
    bench.happen(Delivered(FrameParcel(first), 100, 0))
    assert any(kept)
    require_sums(bench)


def test_nothing_is_given_up_for_a_frame_that_has_no_room_anyway() -> None:
    bench = Bench(most_bytes=20_000)
    every = {bench.frame(b"a" * 9_000, 0.1), bench.frame(b"b" * 2_000, 0.1)}
    assert bench.frame(b"c" * 12_000, 0.99) == ""
    assert {frame.digest for frame in bench.waits()} == every
    require_sums(bench)


def test_a_frame_is_not_given_up_for_one_that_is_not_kept() -> None:
    bench = Bench(policies=(ALIKE,), most_bytes=30_000)
    bench.frame(b"z" * 100, 0.5, like=7)  # under way
    for n in range(1, 4):
        bench.frame(bytes([n]) * 3_000, 0.6, like=n)
    waiting = bench.waits()
    assert bench.frame(b"c" * 18_000, 0.7, like=1) == ""
    assert bench.waits() == waiting
    require_sums(bench)


def test_a_full_disk_costs_no_frame_that_is_better() -> None:
    bench = Bench()
    for n in range(3):
        bench.frame(bytes([n]) * 3_000, 0.1 + n / 10)
    waiting = bench.waits()
    bench.is_full = True
    assert bench.frame(b"d" * 90_000, 0.01)
    assert bench.waits() == waiting
    require_sums(bench)


def test_a_file_that_is_gone_when_it_is_sent_ends_nothing() -> None:
    bench = Bench()
    first = bench.frame(b"a" * 100, 0.4)
    bench.fail("damaged")
    assert bench.waits() == []
    bench.happen(Failed(FrameParcel(first), 0, 0, "damaged", "again"))
    require_sums(bench)


def test_a_frame_that_home_never_takes_lets_the_others_go() -> None:
    bench = Bench()
    bad = FrameParcel(bench.frame(b"a" * 100, 0.99))
    for n in range(40):
        bench.frame(bytes([n]) * 1_000, 0.1 + n / 100)
    bench.play(lambda parcel: parcel == bad, hours=3)
    assert [frame.digest for frame in bench.waits()] == [bad.digest]
    require_sums(bench)


def test_a_frame_that_was_given_up_suppresses_no_other() -> None:
    bench = Bench(policies=(ALIKE,), most_bytes=30_000)
    bench.frame(b"z" * 100, 0.5, like=7)  # under way
    given_up = bench.frame(b"a" * 9_000, 0.2, like=1)
    assert bench.frame(b"b" * 9_000, 0.1, like=1) == ""  # the other one waits
    for n in range(2, 5):
        bench.frame(bytes([n]) * 9_000, 0.5 + n / 10, like=n)
    assert given_up not in {frame.digest for frame in bench.waits()}
    assert bench.frame(b"c" * 9_000, 0.99, like=1)
    require_sums(bench)


def test_an_outage_does_not_change_what_is_best() -> None:
    bench = Bench()
    best = bench.frame(b"a" * 100, 0.99)
    for n in range(20):
        bench.frame(bytes([n]) * 1_000, 0.1 + n / 100)
    bench.play(lambda _: True, hours=5)
    arrived = [p for p in bench.play(lambda _: False) if isinstance(p, FrameParcel)]
    assert FrameParcel(best) in arrived[:4]
    assert len(arrived) == 21


@pytest.mark.parametrize("kind", [StatusParcel, SummaryParcel, SidecarParcel])
def test_what_tells_about_frames_does_not_keep_them_when_home_refuses_it(
    kind: type[Parcel],
) -> None:
    bench = Bench(status_s=60.0)
    bench.wait(3_700)  # status and summary are due
    for n in range(30):
        bench.frame(bytes([n]) * 1_000, 0.1 + n / 100)
    bench.play(lambda parcel: isinstance(parcel, kind), hours=3)
    assert sum(isinstance(parcel, kind) for parcel in bench.sent) > 2
    assert bench.agent.standing.totals()["sent"] == 30


def test_sidecars_that_home_may_have_are_not_told_as_others() -> None:
    bench = Bench()
    bench.frame(b"a" * 100, 0.4)
    bench.happen(Delivered(bench.sent[-1], 100, 0))
    bench.wait(61)
    told = bench.sent[-1]
    assert isinstance(told, SidecarParcel)
    bench.fail()
    bench.frame(b"b" * 100, 0.5)
    for _ in range(3):
        bench.wait(100)
        if bench.sent[-1] == told and len(bench.sent) > 3:
            break
        bench.happen(Delivered(bench.sent[-1], 100, 0))
    assert bench.sent.count(told) == 2
    bench.happen(Delivered(told, 100, 0))
    assert told.digests[0] not in bench.agent.standing.untold


def test_sidecars_are_told_within_a_small_allowance() -> None:
    bench = Bench(link=Link(allowances=[Allowance(period="hour", bytes=4_000)]))
    for n in range(10):
        bench.frame(bytes([n]) * 100, 0.4)
    bench.play(lambda _: False, hours=30, step_s=120)
    assert not bench.agent.standing.untold
    assert bench.agent.standing.totals()["sent"] == 10


def test_what_comes_down_counts_where_the_allowances_say_so() -> None:
    rule = Allowance(period="month", bytes=100_000)
    bench = Bench(link=Link(allowances=[rule], model_counts=True))
    bench.frame(b"a" * 100, 0.4)
    before = bench.agent.standing.budget.ledger.balances[0].bytes
    bench.happen(Delivered(bench.sent[-1], 100, 5_000))
    after = bench.agent.standing.budget.ledger.balances[0].bytes
    assert before is not None
    assert after == before - 5_000


def test_a_status_that_waits_for_the_link_wakes_the_agent() -> None:
    bench = Bench(status_s=60.0, link=Link(uplink_kbit_s=8, hours=["06:00-07:00"]))
    bench.t = 10 * 86_400.0
    bench.happen(Woke())
    agent = bench.agent
    agent.standing.memory.closed.clear()
    midnight = -((BEGINS_S + bench.t) % 86_400)
    opens = bench.t + midnight + 6 * 3_600
    opens += 86_400 if opens < bench.t else 0
    assert agent.outgoing.wake_mono_s() == pytest.approx(opens)
