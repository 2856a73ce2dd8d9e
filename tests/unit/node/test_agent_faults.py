from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from backhaul.link.settings import Allowance, Link
from backhaul.node.happenings import Captured, Commit, Effect, Looked
from backhaul.node.policies import AnyPolicy, StreamPolicy, WindowPolicy
from backhaul.node.records import Window
from backhaul.node.simulation import BEGINS_S, Ended, Faults, SimulatedNode
from backhaul.node.trace import Trace
from backhaul.node.virtual import VirtualDisk
from backhaul.sampling import TrueRandomSampling
from tests.nodeworld import ADDITIVE, world

HOUR = 3_600.0
STEADY = Trace(np.array([0.0]), np.array([2_000.0]))
THIN = Trace(np.array([0.0, HOUR, 2 * HOUR]), np.array([400.0, 0.0, 400.0]))
EXPLORING = StreamPolicy(name="exploring", explore=0.2)
IN_WINDOWS = WindowPolicy(name="windows", method=TrueRandomSampling(), explore=0.1)


def require_accounted(node: SimulatedNode) -> Counter[str]:
    """Every frame that was seen is in one end state, or waits."""
    sums, queue = Counter(node.agent.standing.totals()), list(node.agent.standing.queue)
    candidates = sum(frame.why == "candidate" for frame in queue)
    assert sums["seen"] == sums["passed_over"] + sums["chosen"] + candidates
    assert sums["chosen"] == sums["sent"] + sums["displaced"] + len(queue) - candidates
    on_disk = set(node.disk.names())
    assert on_disk == {f.digest for f in queue} | set(node.agent.standing.untold)
    return sums


def crashing(
    rng: np.random.Generator, probability: float, most: int
) -> tuple[Callable[[Effect], None], list[int]]:
    left = [most]

    def before(effect: Effect) -> None:
        if left[0] and rng.random() < probability:
            left[0] -= 1
            raise Ended(power=bool(rng.random() < 0.5), away_s=float(rng.uniform(0.1, 30)))

    return before, left


@pytest.mark.parametrize(
    "policies", [(ADDITIVE,), (EXPLORING,), (IN_WINDOWS,), (EXPLORING, IN_WINDOWS)]
)
@pytest.mark.parametrize("seed", range(2))
def test_all_frames_are_accounted_for_whatever_ends_the_agent(
    tmp_path: Path, seed: int, policies: tuple[AnyPolicy, ...]
) -> None:
    rng = np.random.default_rng(seed)
    captured = np.sort(rng.uniform(0, 3 * HOUR, 400))
    before, left = crashing(rng, 0.03, 60)
    faults = Faults(reset=0.1, lost_answer=0.05, answer_s=0.3)
    node = world(
        tmp_path,
        captured,
        THIN,
        policies=policies,
        before=before,
        faults=faults,
        seed=seed,
        most_bytes=1_500_000,
    )
    node.start()
    for hour in range(1, 9):
        node.heap.run(hour * HOUR / 2)
        if node.performer is not None:
            require_accounted(node)
    node.heap.run(5 * HOUR)
    sums = require_accounted(node)
    assert left[0] < 30, "too few ends to show anything"
    assert sums["sent"] > 50
    assert node.disk.peak_bytes <= 1_500_000
    came_again = sum(n - 1 for name, n in node.home.came.items() if " " not in name)
    assert came_again == 0, "home has a frame twice"


def test_everything_arrives_once_over_a_bad_link(tmp_path: Path) -> None:
    captured = np.linspace(0, 1_000, 100)
    faults = Faults(reset=0.2, lost_answer=0.1)
    node = world(tmp_path, captured, STEADY, faults=faults)
    node.start()
    node.heap.run(20 * HOUR)
    sums = require_accounted(node)
    assert sums["sent"] == 100
    frames = {name: n for name, n in node.home.came.items() if " " not in name}
    assert len(frames) == 100
    assert set(frames.values()) == {1}
    assert not list(node.disk.names())


def test_the_cap_holds_and_the_best_stay(tmp_path: Path) -> None:
    captured = np.linspace(0, 1_000, 300)
    link = Trace(np.array([0.0, 1_500.0]), np.array([0.0, 1e6]))
    node = world(tmp_path, captured, link, most_bytes=400_000)
    node.start()
    node.heap.run(1_400)
    assert node.disk.peak_bytes <= 400_000
    sums = require_accounted(node)
    queue = node.agent.standing.queue
    kept = min(queue.density(frame) for frame in queue)
    assert len(queue) > 10
    assert sums["displaced"] + sums["passed_over"] == 300 - len(queue)
    node.heap.run(HOUR)
    assert require_accounted(node)["sent"] == len(node.home.arrived) - sum(
        " " in name for name in node.home.arrived
    )
    assert kept > 0


def test_a_full_disk_costs_frames_and_nothing_else(tmp_path: Path) -> None:
    captured = np.linspace(0, 1_000, 200)
    node = world(tmp_path, captured, STEADY, disk=VirtualDisk(most_bytes=150_000))
    node.start()
    node.heap.run(3 * HOUR)
    sums = require_accounted(node)
    assert sums["displaced"] > 0
    assert sums["sent"] > 50


def test_damaged_files_are_put_away_once(tmp_path: Path) -> None:
    captured = np.linspace(0, 100, 20)
    link = Trace(np.array([0.0, 200.0]), np.array([0.0, 1e5]))
    node = world(tmp_path, captured, link)
    node.start()
    node.heap.run(150)
    damaged = sorted(node.disk.names())[:3]
    for digest in damaged:
        node.disk.damage(digest)
    node.heap.run(HOUR / 2)
    sums = require_accounted(node)
    assert sorted(node.disk.quarantined) == damaged
    assert (sums["sent"], sums["displaced"]) == (17, 3)


def test_a_lost_journal_is_made_again_from_the_files(tmp_path: Path) -> None:
    captured = np.linspace(0, 100, 30)
    link = Trace(np.array([0.0, 200.0]), np.array([0.0, 1e5]))
    node = world(tmp_path, captured, link)
    node.start()
    node.heap.run(150)
    waiting = {frame.digest for frame in node.agent.standing.queue}
    node.end()
    path = tmp_path / "journal.sqlite"
    data = bytearray(path.read_bytes())
    data[100:2_000] = bytes(1_900)
    path.write_bytes(data)
    node.start()
    assert {frame.digest for frame in node.agent.standing.queue} == waiting
    assert path.with_suffix(".damaged").exists()
    node.heap.run(HOUR / 2)
    assert require_accounted(node)["sent"] == 30


def test_a_frame_that_home_has_is_not_given_up_as_well(tmp_path: Path) -> None:
    node = world(tmp_path, np.linspace(0, 3, 4), STEADY)
    node.start()
    node.heap.run(40)
    assert len(node.agent.standing.untold) == 4  # home has them, and no sidecars yet
    node.end()
    for digest in list(node.disk.names())[:2]:
        node.disk.remove(digest)
    node.start()
    node.heap.run(HOUR)
    sums = require_accounted(node)
    assert (sums["sent"], sums["displaced"]) == (4, 0)


def test_a_commit_is_small_after_days_without_a_link(tmp_path: Path) -> None:
    commits = list[Commit]()

    def note(effect: Effect) -> None:
        if isinstance(effect, Commit):
            commits.append(effect)

    days = Trace(np.array([0.0, 170 * HOUR]), np.array([1e-9, 1e6]))
    node = world(tmp_path, np.linspace(5, 149 * HOUR + 5, 150), days, before=note)
    node.start()
    node.heap.run(151 * HOUR)
    closed = [window.number for window in node.agent.standing.memory.closed]
    assert len(closed) == 151
    commits.clear()
    node.happen(Captured("f3", 0.0, 100))
    node.heap.run(151 * HOUR + 2)
    assert sum(len(commit.memory) for commit in commits) < 5_000
    assert [commit.closed for commit in commits] == [None] * len(commits)
    node.end()
    node.start()
    assert [window.number for window in node.agent.standing.memory.closed] == closed
    node.heap.run(200 * HOUR)
    assert len(node.agent.standing.memory.closed) <= 1
    assert require_accounted(node)["sent"] == 150


def test_what_was_used_of_a_month_stays_used_when_a_rule_joins(tmp_path: Path) -> None:
    month, day = Allowance(period="month", bytes=60_000), Allowance(period="day", bytes=10**6)
    node = world(tmp_path, np.linspace(0, 100, 30), STEADY, link=Link(allowances=[month]))
    node.start()
    node.heap.run(HOUR)
    came = node.home.came_bytes
    assert came > 40_000
    node.end()
    node.rules = replace(node.rules, link=Link(allowances=[day, month]))
    node.start()
    node.heap.run(5 * HOUR)
    assert node.home.came_bytes <= 60_000


def test_windows_that_become_one_are_of_one_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.node.agent.MOST_CLOSED", 3)
    node = world(tmp_path, np.array([5.0]), STEADY, policies=(ADDITIVE, EXPLORING))
    node.start()
    memory = node.agent.standing.memory
    turns = "aabbabba"
    memory.closed = [
        Window(number=n, policy=policy, seen=10**n) for n, policy in enumerate(turns[:3])
    ]
    for n, policy in enumerate(turns[3:], 3):
        memory.window = Window(number=n, policy=policy, seen=10**n)
        node.agent._close_window()
    assert len(memory.closed) == 3
    seen = Counter[str]()
    for window in memory.closed:
        seen[window.policy] += window.seen
    assert seen == {"a": 10010011, "b": 1101100}


def test_candidates_whose_policy_is_gone_are_given_up(tmp_path: Path) -> None:
    node = world(tmp_path, np.linspace(0, 100, 20), STEADY, policies=(IN_WINDOWS,))
    node.start()
    node.heap.run(200)
    waits = [f for f in node.agent.standing.queue if f.why == "candidate"]
    assert len(waits) > 10
    node.end()
    node.rules = replace(node.rules, policies=(ADDITIVE,))
    node.start()
    node.heap.run(2 * HOUR)
    sums = require_accounted(node)
    assert not len(node.agent.standing.queue)
    assert sums["sent"] + sums["passed_over"] == 20
    assert not list(node.disk.names())


def test_where_a_method_fails_chance_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError("odd numbers")

    monkeypatch.setattr(TrueRandomSampling, "select", fail)
    may = Link(allowances=(Allowance(period="window", images=5),))
    node = world(tmp_path, np.linspace(0, 100, 20), STEADY, policies=(IN_WINDOWS,), link=may)
    node.start()
    node.heap.run(3 * HOUR)
    assert node.agent.standing.choice_failed == "true-random: ZeroDivisionError: odd numbers"
    sums = require_accounted(node)
    assert 0 < sums["sent"] <= 10


def test_what_was_sent_is_known_after_a_restart(tmp_path: Path) -> None:
    policy = StreamPolicy(explore=0.0)
    node = world(tmp_path, np.linspace(0, 10, 6), STEADY, policies=(policy,))
    node.start()
    node.heap.run(HOUR)
    assert require_accounted(node)["sent"] == 6
    frame = Captured("f3", 0.0, 100)
    sight = node.scenery.sight(frame)
    assert sight is not None
    again = replace(sight, content=b"the same scene, in another file")
    node.end()
    node.start()
    node.happen(Looked(frame, again))
    assert node.agent.standing.window.counts["suppressed"] == 1


def test_allowances_hold_over_ends_and_jumps_of_the_clock(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rule = Allowance(period="hour", bytes=100_000)
    captured = np.sort(rng.uniform(0, 5 * HOUR, 400))
    before, _ = crashing(rng, 0.02, 40)

    def clock(t: float) -> float:
        jumps = (5 * HOUR if HOUR < t < 2 * HOUR else 0) - (40 * HOUR if t > 3 * HOUR else 0)
        return BEGINS_S + t + jumps

    node = world(
        tmp_path, captured, STEADY, link=Link(allowances=[rule]), before=before, clock=clock
    )
    node.start()
    node.heap.run(5 * HOUR)
    assert node.home.came_bytes <= 100_000 * 7  # six hours, and one grant for a jump
    assert require_accounted(node)["sent"] > 20


def test_what_leaves_is_the_best_that_waits(tmp_path: Path) -> None:
    captured = np.linspace(0, 100, 50)
    link = Trace(np.array([0.0, 200.0]), np.array([0.0, 2_000.0]))
    node = world(tmp_path, captured, link)
    node.start()
    node.heap.run(150)
    queue = node.agent.standing.queue
    best_first = [f.digest for f in sorted(queue, key=queue.density, reverse=True)]
    node.heap.run(HOUR)
    arrived = [name for name, _ in sorted(node.home.arrived.items(), key=lambda item: item[1])]
    assert [name for name in arrived if " " not in name] == best_first
