"""What an hour does for the versions of a model, wherever an hour before it was cut off."""

from __future__ import annotations

import itertools
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backhaul.campaign.steps import Steps
from backhaul.publication import repository as repositories
from backhaul.publication import rollouts
from backhaul.publication.settling import note_taken_back
from backhaul.registry.log import read_log
from backhaul.registry.published import models_published, published_versions
from backhaul.storage import conditional
from flows import probation, publication
from tests.registered import NODES, RegisteredHome
from tests.tinymodels import tiny_model

FIRST, SECOND, THIRD = 0.6, 0.7, 0.8


@pytest.fixture(autouse=True)
def no_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (publication, probation):
        monkeypatch.setattr(module, "get_run_logger", lambda: logging.getLogger("hour"))


@pytest.fixture
def home(tmp_path: Path) -> RegisteredHome:
    return RegisteredHome(tmp_path / "home")


def hour(home: RegisteredHome) -> None:
    publication.publish_versions(home.config, home.files.run)


def settle(home: RegisteredHome) -> None:
    """Let hours pass until what is published has reached all nodes."""
    for _ in range(6):
        home.nodes_follow()
        hour(home)
        if home.plan.state == "done":
            return
    raise AssertionError(home.plan)


def with_canary(home: RegisteredHome) -> None:
    """Publish a first version for all, and a second one for the first nodes."""
    home.register(FIRST)
    hour(home)
    settle(home)
    home.register(SECOND)
    hour(home)
    home.nodes_follow()


def test_the_first_version_goes_to_all_and_the_second_on_probation(
    home: RegisteredHome,
) -> None:
    with_canary(home)
    assert home.kinds(1) == ["candidate", "accepted", "published"]
    assert home.kinds(2) == ["candidate", "accepted", "canary"]
    assert home.history.aliases == {"champion": 1, "canary": 2}
    assert (home.plan.held_for, home.plan.cohort, home.release.cohort) == ("cars@2", 0.5, 0.5)
    assert home.release.name == "cars-v2"
    for _ in range(3):  # it has soaked, and waits for frames
        home.nodes_follow()
        hour(home)
    assert home.release.cohort == 0.5
    assert "cars@2 is on probation" in home.plan.why
    assert home.kinds(2) == ["candidate", "accepted", "canary"]


def test_without_keys_nothing_is_published(tmp_path: Path) -> None:
    home = RegisteredHome(tmp_path / "home", {"signing": None})
    home.register(FIRST)
    hour(home)
    assert not home.publisher.published.exists()


def test_without_a_probation_a_version_goes_by_steps_alone(tmp_path: Path) -> None:
    home = RegisteredHome(tmp_path / "home", {"probation": None})
    with_canary(home)
    assert home.kinds(2)[-1] == "published"
    settle(home)
    assert home.release.cohort == 1


def test_a_version_as_good_goes_on_to_all(home: RegisteredHome) -> None:
    with_canary(home)
    home.score(2, 0.8, 0.8)
    hour(home)
    assert home.history.aliases == {"champion": 2}
    [*_, last] = home.entries(2)
    assert (last.kind, last.by, last.values["frames"]) == ("promoted", "canary", 200)
    assert last.reason.startswith("not worse by 0.1: F1 of a frame differs by +0.000")
    settle(home)
    assert home.release.cohort == 1


def test_one_that_is_worse_is_taken_back_as_soon_as_it_shows(home: RegisteredHome) -> None:
    with_canary(home)
    home.score(2, 0.8, 0.2, 30)
    hour(home)
    assert home.history.aliases == {"champion": 1}
    [*_, last] = home.entries(2)
    assert last.kind == "rolled-back"
    assert last.reason.startswith("worse: F1 of a frame differs by -0.600")
    assert home.release.name == "cars-v1"
    assert home.release.cohort == 1
    hour(home)
    assert home.kinds(2).count("rolled-back") == 1
    assert home.release.name == "cars-v1"


def test_frames_that_show_nothing_in_the_end_take_it_back(home: RegisteredHome) -> None:
    with_canary(home)
    home.score(2, 0.57, 0.0, 100, every_other=1.0)
    hour(home)
    [*_, last] = home.entries(2)
    assert last.kind == "rolled-back"
    assert last.reason.startswith("not shown to be less than 0.1 worse: F1 of a frame")
    assert home.release.name == "cars-v1"


def test_hours_end_a_probation_with_the_frames_there_are(tmp_path: Path) -> None:
    home = RegisteredHome(tmp_path / "home", {"probation": {"hours": 1e-9}})
    with_canary(home)
    hour(home)
    assert home.kinds(2)[-1] == "rolled-back"
    assert "no frame of 200 is labelled" in home.entries(2)[-1].reason


def test_nodes_that_refuse_a_version_end_its_probation(home: RegisteredHome) -> None:
    with_canary(home)
    model = home.release.model.sha256
    why = f"model {model[:12]} failed here: too slow"
    for node in [node for node in NODES if home.release.includes(node)][:2]:
        home.tell(node, update_refused=why, update_asked_s_ago=0.0)
    hour(home)
    assert "too slow" in home.entries(2)[-1].reason
    assert (home.kinds(2)[-1], home.release.name) == ("rolled-back", "cars-v1")


def test_nodes_that_fall_silent_pause_it_and_are_no_reason_to_take_it_back(
    home: RegisteredHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_canary(home)
    later_s = time.time() + 10_000
    monkeypatch.setattr("time.time", lambda: later_s)
    hour(home)
    assert home.plan.state == "paused"
    assert home.kinds(2)[-1] == "canary"


def test_versions_wait_for_each_other(home: RegisteredHome) -> None:
    home.register(FIRST)
    hour(home)
    home.register(SECOND)
    hour(home)  # the first one is on its way
    assert home.kinds(2)[-1] == "accepted"
    for _ in range(3):
        home.nodes_follow()
        hour(home)
    assert home.kinds(2)[-1] == "canary"
    home.register(THIRD)
    hour(home)  # the second one is on probation
    assert home.history.aliases == {"champion": 3, "canary": 2}
    home.nodes_follow()
    home.score(2, 0.5, 0.5)
    for _ in range(4):
        home.nodes_follow()
        hour(home)
    assert home.history.aliases == {"champion": 2, "canary": 3}


def test_a_round_without_a_training_has_the_model_that_nodes_run(home: RegisteredHome) -> None:
    home.register(FIRST)
    hour(home)
    settle(home)
    home.register(FIRST)
    hour(home)
    assert home.entries(2)[-1].reason == "the model is that of cars@1"
    assert home.release.cohort == 1
    published = published_versions(read_log(home.files), "all")
    assert published[1] == published[2]
    assert models_published(read_log(home.files)) == {published[1].model: 2}
    assert published_versions(read_log(home.files), "other") == {}


def test_whoever_publishes_something_else_ends_a_probation(home: RegisteredHome) -> None:
    with_canary(home)
    home.publisher.put(tiny_model(0.95))
    hour(home)
    assert home.entries(2)[-1].reason == "something else was published for all"
    assert home.release.name == "tiny.onnx"
    assert home.history.aliases == {"champion": 1}


def test_a_version_that_nodes_never_had_is_nothing_to_compare_with(
    home: RegisteredHome,
) -> None:
    home.register(FIRST)
    hour(home)
    settle(home)
    home.register(SECOND)  # it was accepted, and another one before it was published
    home.register(THIRD)
    hour(home)
    assert home.kinds(2)[-1] == "accepted"
    assert home.kinds(3)[-1] == "canary"
    assert home.probation(3).against == 1
    assert home.entries(3)[-1].reason == "on the first nodes of all, compared with cars@1"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_version_that_is_taken_back_while_it_is_published_is_undone(
    home: RegisteredHome, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    home.register(FIRST)
    hour(home)
    settle(home)
    home.register(SECOND)
    place = publication if moment == "before" else rollouts
    name = "model_in_store" if moment == "before" else "begin"
    real: Callable[..., Any] = getattr(place, name)

    def and_a_person_takes_it_back(*given: Any, **named: Any) -> Any:
        done = real(*given, **named)
        note_taken_back(home.files, 2, by="ann", reason="no")
        return done

    monkeypatch.setattr(place, name, and_a_person_takes_it_back)
    hour(home)
    assert home.kinds(2) == ["candidate", "accepted", "rolled-back"]
    assert (home.release.name, home.release.cohort) == ("cars-v1", 1.0)
    hour(home)
    assert home.release.name == "cars-v1"


def test_the_registry_learns_what_a_person_took_back(home: RegisteredHome) -> None:
    with_canary(home)
    home.score(2, 0.8, 0.8)
    hour(home)
    settle(home)
    rollouts.back(home.publisher.repository, "all")
    hour(home)
    assert home.kinds(2)[-1] == "rolled-back"
    assert home.history.champion == 1


def test_the_first_share_is_one_that_has_a_node(tmp_path: Path) -> None:
    few = {"cohorts": [0.01, 1.0], "soak_s": 0.0}
    home = RegisteredHome(tmp_path / "home", {"rollout": few})
    with_canary(home)
    assert 0.01 < home.plan.steps.cohorts[0] < 1
    assert any(home.release.includes(node) for node in NODES)
    assert Steps(cohorts=(0.5, 1.0)).beginning_with(1.0).cohorts == (1.0,)


def test_the_first_version_is_for_all_at_once_also_before_any_node_is_there(
    tmp_path: Path,
) -> None:
    home = RegisteredHome(tmp_path / "home", {"rollout": {"cohorts": [0.01, 1.0]}})
    home.register(FIRST)
    hour(home)
    assert home.kinds(1)[-1] == "published"
    assert home.release.cohort == 1
    assert home.plan.steps.cohorts == (1.0,)


class KilledError(BaseException):
    """Stands for kill -9."""


def cut(monkeypatch: pytest.MonkeyPatch, write: int) -> None:
    """Let the process end before its write with that number."""
    left = itertools.count(write - 1, -1)
    for module in (conditional, repositories):
        real = module.replace

        def replace(*given: Any, _real: Callable[..., None] = real) -> None:
            if next(left) <= 0:
                raise KilledError
            _real(*given)

        monkeypatch.setattr(module, "replace", replace)


def through_all_cuts(
    home: RegisteredHome, monkeypatch: pytest.MonkeyPatch, check: Callable[[], None]
) -> int:
    """Cut an hour off at each of its writes, let the next one go on, and check that.

    Returns:
        How many writes an hour has.
    """
    kept = home.folder.parent / "kept"
    shutil.copytree(home.publisher.root, kept)
    for write in itertools.count(1):
        shutil.rmtree(home.publisher.root)
        shutil.copytree(kept, home.publisher.root)
        was_cut = False
        with monkeypatch.context() as patch:
            cut(patch, write)
            try:
                hour(home)
            except KilledError:
                was_cut = True
        hour(home)
        hour(home)
        check()
        if not was_cut:
            return write - 1
    raise AssertionError


def test_a_publication_may_be_cut_off_anywhere(
    home: RegisteredHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.register(FIRST)
    hour(home)
    settle(home)
    home.register(SECOND)

    def check() -> None:
        assert home.kinds(2) == ["candidate", "accepted", "canary"]
        assert (home.plan.held_for, home.release.cohort) == ("cars@2", 0.5)
        assert home.release.name == "cars-v2"
        assert home.probation(2).against == 1
        given = rollouts.back(home.publisher.repository, "all")
        assert given.name == "cars-v1"

    assert through_all_cuts(home, monkeypatch, check) > 10


def test_a_promotion_may_be_cut_off_anywhere(
    home: RegisteredHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_canary(home)
    home.score(2, 0.8, 0.8)

    def check() -> None:
        assert home.kinds(2).count("promoted") == 1
        assert home.plan.held_for == ""
        assert home.plan.state in {"going", "done"}

    assert through_all_cuts(home, monkeypatch, check) >= 2


def test_taking_back_may_be_cut_off_anywhere(
    home: RegisteredHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_canary(home)
    home.score(2, 0.8, 0.1)

    def check() -> None:
        assert home.kinds(2).count("rolled-back") == 1
        assert home.entries(2)[-1].reason.startswith("worse:")
        assert (home.release.name, home.release.cohort) == ("cars-v1", 1.0)
        assert home.plan.state == "back"

    assert through_all_cuts(home, monkeypatch, check) > 4
