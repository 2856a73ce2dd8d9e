"""A running node takes what is published between two frames, and goes back by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backhaul.errors import InputError
from backhaul.node.agent import Agent
from backhaul.node.happenings import Fetched, Looked, Ruled, Woke
from backhaul.node.lens import Lens
from backhaul.node.policies import StreamPolicy, WindowPolicy
from backhaul.node.records import Memory
from backhaul.node.recovery import Found
from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from backhaul.node.standing import Rules
from backhaul.node.steady import Now
from backhaul.node.updates.errors import RefusedError
from backhaul.node.updates.release import Choice, release_of, require_choice
from backhaul.node.updates.shelf import Shelf, Taken
from backhaul.sampling import IqrSampling
from tests.nodes import picture
from tests.nodeworld import ADDITIVE, UNLIMITED
from tests.publishing import Publisher, Taker
from tests.tinymodels import tiny_model

DEADLINE_S = 120.0


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "home")


def config_of(publisher: Publisher, folder: Path, **changes: Any) -> NodeConfig:
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    (folder / "own.onnx").write_bytes(tiny_model(0.9))
    given = {
        "node": "cam-1",
        "folder": str(folder / "node"),
        "frames": {"kind": "folder", "path": str(folder / "frames"), "settle_s": 0},
        "model": str(folder / "own.onnx"),
        "policies": [{"kind": "stream", "suppress": False, "explore": 0.0}],
        "link": {"uplink_kbit_s": 1.0},
        "uplink": {"kind": "folder", "folder": str(publisher.root)},
        "updates": {"root": str(publisher.folder / "keys/root.json"), "every_s": 1},
        **changes,
    }
    return NodeConfig.model_validate(given)


def run(node: Node, frames: Path, until: Callable[[], bool], begin: int = 0) -> int:
    """Let frames come until something is so; return how many came."""
    numbers, ends_s = iter(range(begin, 10**6)), time.monotonic() + DEADLINE_S

    def stops() -> bool:
        number = next(numbers)
        (frames / f"{number:06d}.jpg").write_bytes(picture(number, size=(40, 30 + number % 97)))
        assert time.monotonic() < ends_s, node.status()
        time.sleep(0.01)
        return until()

    node.run(stops)
    return next(numbers)


def test_a_model_is_swapped_while_frames_flow_and_goes_back_if_it_fails(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, frames = config_of(publisher, tmp_path), tmp_path / "frames"
    new = publisher.put(tiny_model()).model.sha256
    with Node(config) as node:
        own, at = node.agent.standing.rules.model, node.agent.standing
        n = run(node, frames, lambda: any(f.model == new[:12] for f in at.queue))
        assert {frame.model for frame in at.queue} == {own, new[:12]}  # those before wait on
        assert at.rules.model == at.window.model == new[:12]
        seen = at.totals()["seen"]
        accounted = at.totals()["chosen"] + at.totals()["passed_over"]
        assert seen == accounted > 0  # nothing was lost on the way
        assert node.status()["release"]
        assert node.status()["update_refused"] == ""
        assert node.status()["group"] == "all"
        assert 0 <= node.status()["update_asked_s_ago"] < 600

        look = Lens.look

        def fails(self: Lens, *given: Any) -> Looked:
            if self.version == new[:12]:
                raise RuntimeError("no such thing")
            return look(self, *given)

        monkeypatch.setattr(Lens, "look", fails)
        waiting = {frame.digest for frame in at.queue}
        n = run(node, frames, lambda: at.rules.model == own, n)
        assert waiting & {frame.digest for frame in at.queue}
        assert "3 looks in a row failed: no such thing" in node.status()["update_refused"]
        run(node, frames, lambda: "failed here" in node.status()["update_refused"], n)
        assert at.rules.model == own
    with Node(config) as again:
        assert again.agent.standing.rules.model == own


def test_a_restart_goes_on_with_what_was_taken_and_not_with_what_is_damaged(
    publisher: Publisher, tmp_path: Path
) -> None:
    config = config_of(publisher, tmp_path)
    shelf = Shelf(tmp_path / "node/models")
    release = publisher.put(tiny_model(), policies=({"kind": "stream", "name": "night"},))
    data = next(publisher.published.glob("targets/groups/all/*")).read_bytes()
    taken = Taken(release=shelf.put_release(data), model=release.model.sha256)
    shelf.model_file(taken.model).write_bytes(tiny_model())
    shelf.take(taken)
    with Node(config) as node:
        assert node.agent.standing.rules.model == taken.model[:12]
        assert [p.name for p in node.agent.standing.rules.policies] == ["night"]
    shelf.model_file(taken.model).write_bytes(tiny_model()[:100])
    with Node(config) as node:
        assert node.agent.standing.rules.model != taken.model[:12]
        assert "digest" in node.status()["update_refused"]
    assert Shelf(tmp_path / "node/models").failed(taken.model) is None  # it may come again


def test_three_deaths_at_looks_bring_the_model_before_back(
    publisher: Publisher, tmp_path: Path
) -> None:
    config = config_of(publisher, tmp_path)
    shelf, taken = Shelf(tmp_path / "node/models"), list[Taken]()
    for gain in (0.8, 0.7):
        release = publisher.put(tiny_model(gain))
        data = max(
            publisher.published.glob("targets/groups/all/*"), key=lambda p: p.stat().st_mtime_ns
        )
        digest = shelf.put_release(data.read_bytes())
        taken.append(Taken(release=digest, model=release.model.sha256))
        shelf.model_file(release.model.sha256).write_bytes(tiny_model(gain))
        shelf.take(taken[-1])
    (tmp_path / "node/models/looking").write_text("2")
    with Node(config) as node:
        assert node.agent.standing.rules.model == taken[0].model[:12]
        assert "died 3 times" in node.status()["update_refused"]
    assert Shelf(tmp_path / "node/models").failed(taken[1].model) is not None


def test_a_root_that_is_none_is_told_at_the_start(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    config = config_of(publisher, tmp_path, updates={"root": str(tmp_path / "bad.json")})
    with pytest.raises(InputError, match=r"updates\.root"):
        Node(config)


# Rules


def agent_by(policy: StreamPolicy | WindowPolicy) -> Agent:
    rules = Rules("cam", (policy,), UNLIMITED, 10**9, model="a")
    return Agent(rules, Found(Memory(), (), (), (), ()), Now(1.7e9, 0.0))


def test_policies_change_with_the_window_and_models_at_once() -> None:
    agent = agent_by(ADDITIVE)
    other = WindowPolicy(name="other", method=IqrSampling())
    agent.step(Now(1.7e9 + 10, 10.0), Ruled("b", (other,), UNLIMITED))
    at = agent.standing
    assert (at.rules.model, at.window.model) == ("b", "b")
    assert at.policy.name == ADDITIVE.name
    agent.step(Now(1.7e9 + 4_000, 4_000.0), Woke())
    assert at.policy.name == "other"
    assert at.rules.model == "b"


def test_what_asking_home_takes_counts() -> None:
    agent = agent_by(ADDITIVE)
    agent.step(Now(1.7e9 + 1, 1.0), Fetched(300, 5_000))
    assert (agent.standing.window.up_bytes, agent.standing.window.down_bytes) == (300, 5_000)


# Releases


def release(**changes: Any) -> bytes:
    file = {"sha256": "0" * 64, "bytes": 10}
    return json.dumps(
        {"format": 1, "name": "m.onnx", "model": file, "probe": file, **changes}
    ).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (release(format=2), "format 2, and this agent knows 1"),
        (release(colour="red"), "colour: is no key that this agent knows"),
        (
            release(policies=[{"kind": "stream", "taste": 1}]),
            r"policies\.0\.stream\.taste: is no key",
        ),
        (release(policies=[{"kind": "oracle"}]), "policies"),
        (release(policies=[{"kind": "window", "method": {"kind": "user"}}]), "policies"),
        (release(budget={"allowances": [{"period": "day", "images": 0}]}), "images"),
        (release(model={"sha256": "../../etc", "bytes": 1}), "model"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no JSON"),
    ],
)
def test_what_an_agent_cannot_run_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        release_of(data)


def test_a_budget_that_would_send_nothing_is_refused(
    publisher: Publisher, tmp_path: Path
) -> None:
    config = config_of(publisher, tmp_path, link={"uplink_kbit_s": 9, "overhead_bytes": 900})
    budget = {"allowances": ({"period": "day", "bytes": 800},)}
    with pytest.raises(RefusedError, match="not enough for a file"):
        require_choice(config, Choice.model_validate({"budget": budget}))
    hours = require_choice(
        config, Choice.model_validate({"budget": {"hours": ("22:00-06:00",)}})
    )
    assert hours.link.hours == ("22:00-06:00",)
    assert hours.link.overhead_bytes == 900
    with pytest.raises(RefusedError, match="hours"):
        require_choice(config, Choice.model_validate({"budget": {"hours": ("late",)}}))


def test_a_greater_cohort_has_the_nodes_of_a_lesser() -> None:
    nodes = [f"cam-{number}" for number in range(400)]

    def cohort(share: float) -> set[str]:
        some = release_of(release(cohort=share))
        return {node for node in nodes if some.includes(node)}

    assert cohort(0.0) == set()
    assert cohort(0.1) < cohort(0.4) < cohort(1.0) == set(nodes)
    assert 20 <= len(cohort(0.1)) <= 60


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    shelf, three = Shelf(tmp_path), [Taken(release=c * 64, model=c * 64) for c in "abc"]
    for taken in three:
        shelf.model_file(taken.model).write_bytes(b"model")
        shelf.take(taken)
    assert {p.name[0] for p in tmp_path.glob("*.onnx")} == {"b", "c"}
    assert Shelf(tmp_path).current == three[2]
    shelf.fail("c" * 64, "slow")
    shelf.go_back()
    again = Shelf(tmp_path)
    assert again.current == three[1]
    assert again.failed("c" * 64) == "slow"
    (tmp_path / "current").write_bytes(b"\0")
    assert Shelf(tmp_path).current is None


def test_a_policy_alone_is_taken_without_a_trial(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr("backhaul.node.updates.check.try_model", lambda *a: tried.append(a))
    publisher.put(tiny_model())
    taker = Taker(publisher, tmp_path / "taker")
    assert taker.check() is not None
    publisher.put(None, policies=({"kind": "stream", "name": "night"},))
    ready = taker.check()
    assert ready is not None
    assert ready.lens is None
    assert ready.setup.policies[0].name == "night"
    assert len(tried) == 1
    assert taker.check() is None
