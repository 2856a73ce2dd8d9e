"""Rollouts of what is published: who takes it, what goes back, and who is slower."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import TargetFile

from backhaul.campaign.steps import Steps
from backhaul.errors import InputError
from backhaul.fleet.keeping import changed
from backhaul.fleet.nodes import NodeView
from backhaul.fleet.rollout import ROLLOUT, Rollout
from backhaul.fleet.status import Status
from backhaul.node.updates.release import in_cohort, model_place, release_place
from backhaul.nodelayout import rollout_place
from backhaul.publication import rollouts
from backhaul.publication.publishing import groups_of, refresh_if_due
from backhaul.publication.repository import Repository, Standing, target_uri
from tests.publishing import Publisher, Taker
from tests.tinymodels import tiny_model

FIRST, SECOND = tiny_model(0.6), tiny_model(0.7)
STEPS = Steps(cohorts=(0.2, 1.0), soak_s=100, most_failed=0.4, silent_s=1_000)
NOW = 2_000_000_000.0


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "home")


def names(publisher: Publisher, n: int = 3) -> tuple[list[str], list[str]]:
    """Nodes in the first cohort of what is published, and nodes that are not."""
    model = publisher.put(None).model.sha256
    every = [f"cam-{number}" for number in range(100)]
    inside = [name for name in every if in_cohort(model, name, 0.2)]
    return inside[:n], [name for name in every if name not in inside][:n]


def view(name: str, release: str, told_s: float = NOW) -> NodeView:
    return NodeView(name, told_s, Status(group="all", release=release), ())


def test_a_node_of_the_cohort_takes_it_one_outside_does_not_and_both_come_back(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.put(FIRST)
    publisher.put(SECOND, cohort=0)
    [inside], [outside] = names(publisher, 1)
    plan = rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    nodes = {
        name: Taker(publisher, tmp_path / name, config={"node": name})
        for name in (inside, outside)
    }
    for node in nodes.values():
        node.check()
    assert nodes[inside].setup.release == plan.releases[0]
    assert nodes[outside].setup.release == ""
    back = rollouts.back(publisher.repository, "all")
    for node in nodes.values():
        node.check()
        assert node.setup.sha256 == back.model.sha256
    assert rollouts.rollout_of(str(publisher.root), "all").state == "back"


def test_it_widens_when_they_have_run_it_and_not_before(publisher: Publisher) -> None:
    publisher.put(FIRST)
    repository = publisher.repository
    (one, two), (other, _) = names(publisher, 2)
    steps = STEPS.model_copy(update={"most_failed": 0.0})
    plan = rollouts.begin(repository, "all", steps, [view(one, ""), view(other, "")], NOW)
    assert publisher.cohort() == 0.2
    digest = plan.releases[0][:12]
    taken = [view(one, digest), view(two, digest), view(other, "")]
    assert rollouts.advance(repository, "all", taken, NOW).step == 0
    later = [view(one, digest, NOW + 100), view(two, digest, NOW + 100)]
    assert rollouts.advance(repository, "all", later, NOW + 100).step == 1
    assert publisher.cohort() == 1.0
    last = [*later, view(other, plan.releases[1][:12], NOW + 100)]
    assert rollouts.advance(repository, "all", last, NOW + 100).state == "going"
    last = [view(each.name, plan.releases[1], NOW + 200) for each in last]
    assert rollouts.advance(repository, "all", last, NOW + 200).state == "done"


def test_what_ended_before_it_published_is_made_up_for(publisher: Publisher) -> None:
    publisher.put(FIRST)
    plan = rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    place = rollout_place(str(publisher.root), "all")
    changed(ROLLOUT, place, lambda _: plan.model_copy(update={"step": 1}))
    assert publisher.cohort() == 0.2
    rollouts.advance(publisher.repository, "all", [], NOW)
    assert publisher.cohort() == 1.0


def test_whoever_publishes_something_else_ends_it(publisher: Publisher) -> None:
    publisher.put(FIRST)
    rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    with pytest.raises(InputError, match="on its way already"):
        rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    publisher.put(SECOND, cohort=0.3)
    plan = rollouts.advance(publisher.repository, "all", [], NOW)
    assert plan.state == "replaced"
    assert publisher.cohort() == 0.3
    assert rollouts.begin(publisher.repository, "all", STEPS, [], NOW).state == "going"


def test_a_rollout_that_begins_while_another_looks_goes_on(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks has read that the first is published; the record is that of the second."""
    publisher.put(FIRST)
    rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    done = rollouts._changed

    def late(*given: Any) -> Rollout:
        monkeypatch.undo()
        publisher.put(SECOND, cohort=0)
        rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
        return done(*given)

    monkeypatch.setattr(rollouts, "_changed", late)
    assert rollouts.advance(publisher.repository, "all", [], NOW).state == "going"


def test_who_goes_back_too_late_ends_no_other_rollout(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.put(FIRST)
    publisher.put(SECOND)
    done = rollouts._changed

    def late(*given: Any) -> Rollout:
        monkeypatch.undo()
        publisher.put(tiny_model(0.8), cohort=0)
        rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
        return done(*given)

    rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    monkeypatch.setattr(rollouts, "_changed", late)
    with pytest.raises(InputError, match="somebody published"):
        rollouts.back(publisher.repository, "all")
    assert rollouts.rollout_of(str(publisher.root), "all").state == "going"


def test_a_slower_writer_overwrites_nothing(publisher: Publisher) -> None:
    """It pauses between what another reads and what that one writes: the pause stays."""
    publisher.put(FIRST)
    rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    root, seen = str(publisher.root), []

    def slow(plan: Rollout | None) -> Rollout:
        assert plan is not None
        seen.append(plan.state)
        if len(seen) == 1:
            rollouts.pause(root, "all")
        return plan if plan.state == "paused" else plan.model_copy(update={"step": 1})

    changed(ROLLOUT, rollout_place(root, "all"), slow)
    assert seen == ["going", "paused"]
    assert rollouts.rollout_of(root, "all").step == 0
    with pytest.raises(InputError, match="there is nothing to pause"):
        rollouts.pause(root, "all")
    assert rollouts.resume(root, "all", [], NOW).state == "going"


def test_going_back_is_to_what_was_published_for_all(publisher: Publisher) -> None:
    first = publisher.put(FIRST)
    with pytest.raises(InputError, match="nothing else was published for all"):
        rollouts.back(publisher.repository, "all")
    publisher.put(SECOND, cohort=0.1)  # never for all: nobody goes back to it
    publisher.put(tiny_model(0.8), cohort=0.1)
    publisher.put(None, cohort=0.5)
    back = rollouts.back(publisher.repository, "all")
    assert (back.model, back.cohort) == (first.model, 1.0)
    targets = publisher.repository.read().targets.targets
    assert model_place(first.model.sha256) in targets
    with pytest.raises(InputError, match="nothing else was published for all"):
        rollouts.back(publisher.repository, "all")


def test_nothing_goes_back_to_what_is_damaged(publisher: Publisher) -> None:
    first = publisher.put(FIRST)
    publisher.put(SECOND)
    [file] = publisher.published.glob(f"targets/models/*{first.model.sha256}.onnx")
    file.write_bytes(b"other")
    with pytest.raises(InputError, match="is gone or damaged"):
        rollouts.back(publisher.repository, "all")
    [group] = groups_of(publisher.repository, publisher.repository.read())
    assert group.release is not None
    assert group.release.name == "tiny.onnx"
    assert group.release.cohort == 1.0


def test_going_back_twice_does_not_bring_the_bad_one_again(publisher: Publisher) -> None:
    first = publisher.put(FIRST)
    publisher.put(SECOND)
    assert rollouts.back(publisher.repository, "all").model == first.model
    with pytest.raises(InputError, match="or it is there again"):
        rollouts.back(publisher.repository, "all")
    third = publisher.put(tiny_model(0.8), cohort=0.1)
    assert third.model != first.model
    assert rollouts.back(publisher.repository, "all").model == first.model


def test_of_two_who_go_back_at_once_one_is_told(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the slower one wanted to leave is gone already."""
    first = publisher.put(FIRST)
    publisher.put(SECOND)
    slower, publish = publisher.repository, Repository.publish

    def late(self: Repository, before: Standing, files: Mapping[str, TargetFile]) -> bool:
        if self is slower and publisher.cohort() == 1.0:
            monkeypatch.setattr(Repository, "publish", publish)
            rollouts.back(publisher.repository, "all")
        return publish(self, before, files)

    monkeypatch.setattr(Repository, "publish", late)
    with pytest.raises(InputError, match="somebody published at this moment"):
        rollouts.back(slower, "all")
    [group] = groups_of(publisher.repository, publisher.repository.read())
    assert group.release is not None
    assert group.release.model == first.model


@pytest.mark.parametrize("content", [b"x" * 2_000_000, b"", None])
def test_what_is_damaged_on_its_way_keeps_nobody_from_going_back(
    publisher: Publisher, content: bytes | None
) -> None:
    first = publisher.put(FIRST)
    publisher.put(SECOND)
    targets = publisher.repository.read().targets.targets
    bad = Path(target_uri(str(publisher.root), targets[release_place("all")]))
    bad.unlink()
    if content is None:
        os.mkfifo(bad)
    else:
        bad.write_bytes(content)
    [group] = groups_of(publisher.repository, publisher.repository.read())
    assert group.release is None
    assert rollouts.back(publisher.repository, "all").model == first.model


def test_it_is_not_done_before_it_was_published_for_all(publisher: Publisher) -> None:
    """The last step was recorded, and what took it ended: nearly all run it, and not all."""
    publisher.put(FIRST)
    plan = rollouts.begin(publisher.repository, "all", STEPS, [], NOW)
    place = rollout_place(str(publisher.root), "all")
    (one, two), (other, _) = names(publisher, 2)
    since: dict[str, float | None] = dict.fromkeys((one, two), NOW)
    changed(ROLLOUT, place, lambda _: plan.model_copy(update={"step": 1, "ran_since": since}))
    digest = plan.releases[0][:12]
    fleet = [view(one, digest, NOW + 100), view(two, digest, NOW + 100), view(other, "", NOW)]
    assert rollouts.advance(publisher.repository, "all", fleet, NOW + 100).state == "going"
    assert publisher.cohort() == 1.0


def test_a_first_cohort_of_nodes_long_gone_is_refused(publisher: Publisher) -> None:
    publisher.put(FIRST)
    [inside], [outside] = names(publisher, 1)
    fleet = [view(inside, "", NOW - STEPS.silent_s - 1), view(outside, "")]
    with pytest.raises(InputError, match=r"none of its 1 nodes"):
        rollouts.begin(publisher.repository, "all", STEPS, fleet, NOW)


def test_a_first_cohort_without_a_known_node_is_refused(publisher: Publisher) -> None:
    publisher.put(FIRST)
    _, outside = names(publisher)
    with pytest.raises(InputError, match=r"none of its 3 nodes is among 20%.*begin with 0\.\d"):
        rollouts.begin(publisher.repository, "all", STEPS, [view(n, "") for n in outside], NOW)
    assert publisher.cohort() == 1.0


def test_metadata_are_signed_anew_when_half_of_their_time_is_over(publisher: Publisher) -> None:
    publisher.put(FIRST)
    before = publisher.timestamp.read_bytes()
    expires = publisher.repository.read().timestamp.expires
    assert refresh_if_due(publisher.repository, expires - timedelta(days=3.6)) is None
    assert publisher.timestamp.read_bytes() == before
    assert refresh_if_due(publisher.repository, expires - timedelta(days=3.4)) is not None
    assert publisher.timestamp.read_bytes() != before
