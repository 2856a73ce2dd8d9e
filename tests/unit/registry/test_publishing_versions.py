"""Versions that a person publishes and takes back, and which of them nodes run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backhaul.cli.fleet import fleet
from backhaul.cli.models import models
from backhaul.errors import InputError
from backhaul.fleet.nodes import read_fleet
from backhaul.fleet.versions import named_versions, versions_on_nodes
from backhaul.node.updates.release import Choice
from backhaul.publication import byhand, publishing, rollouts, settling
from backhaul.publication.byhand import ByHand, publish_by_hand
from backhaul.publication.newmodel import model_in_store
from backhaul.publication.publishing import NewModel
from backhaul.publication.versions import Publication, publish_version
from backhaul.registry.cards import read_card
from backhaul.registry.exports import exported_of
from backhaul.registry.log import read_log
from backhaul.registry.starting import basis_of, start_of
from tests.commands import called
from tests.registered import NODES, RegisteredHome
from tests.tinymodels import tiny_model

FIRST, SECOND, THIRD = 0.6, 0.7, 0.8
NOW = 2_000_000_000.0


@pytest.fixture
def home(tmp_path: Path) -> RegisteredHome:
    home = RegisteredHome(tmp_path / "home")
    home.begin()
    return home


def order_of(home: RegisteredHome) -> ByHand:
    return ByHand(home.files, home.publisher.repository, "all", "ann")


def publish(home: RegisteredHome, version: int) -> None:
    publish_by_hand(order_of(home), version, model_of(home, version), Choice())


def test_commands_publish_versions_and_take_them_back(home: RegisteredHome) -> None:
    run = f"{home.root}/runs/cars"
    keys = ("--keys", str(home.folder / "keys"))
    probe = ("--probe", str(home.folder / "probe"), *keys)
    for gain in (FIRST, SECOND, THIRD):
        home.register(gain)
    for version in (1, 2, 3):
        said = called(models, "publish", f"{run}@{version}", *probe)
        assert f"all: cars-v{version} (" in said
        assert "for 100% of the nodes" in said
    assert [entry.kind for entry in home.entries(3)] == ["candidate", "accepted", "published"]
    said = called(models, "rollback", run, "--reason", "blind at night", *keys)
    assert "cars@3: taken back" in said
    assert "all: cars-v2" in said
    assert home.release.name == "cars-v2"
    assert home.entries(3)[-1].reason == "blind at night"
    assert home.entries(3)[-1].by
    with pytest.raises(InputError, match="or it is there again: say which version: --to"):
        called(models, "rollback", run, *keys)
    said = called(models, "rollback", run, "--to", "1", *keys)
    assert home.release.name == "cars-v1"
    assert home.history.aliases == {"champion": 1}
    assert "cars@2: taken back" in said
    again = called(models, "rollback", run, "--to", "1", *keys)
    assert "taken back" not in again
    with pytest.raises(InputError, match="or it is there again"):  # version 3 was there last
        called(models, "rollback", run, *keys)
    with pytest.raises(InputError, match=r"cars@2: expected a version .* taken back: 1; "):
        called(models, "rollback", run, "--to", "2", *keys)
    called(models, "publish", f"{run}@2", *probe)
    assert home.history.aliases == {"champion": 2}


def test_a_version_that_was_not_accepted_is_not_published(home: RegisteredHome) -> None:
    home.register(FIRST, None)
    with pytest.raises(InputError, match="cars@1: is candidate: expected one that was acc"):
        publish(home, 1)
    assert not home.publisher.timestamp.exists()
    with pytest.raises(InputError, match="--probe: expected a folder of images"):
        called(
            *(models, "publish", f"{home.root}/runs/cars@1"),
            *("--keys", str(home.folder / "keys")),
        )


def test_versions_are_for_all_nodes_of_the_group_of_their_run(home: RegisteredHome) -> None:
    home.register(FIRST)
    run = f"{home.root}/runs/cars"
    keys = ("--keys", str(home.folder / "keys"))
    given = ("publish", f"{run}@1", "--probe", str(home.folder / "probe"), *keys)
    for_all = r"--group night: the versions of cars are for all .*: expected all"
    with pytest.raises(InputError, match=for_all):
        called(models, *given, "--group", "night")
    with pytest.raises(InputError, match=for_all):
        called(models, "rollback", run, "--group", "night", *keys)
    with pytest.raises(InputError, match=r"--cohort 0.1: .*cars@1 .*: expected 1"):
        called(models, *given, "--cohort", "0.1")
    assert home.kinds(1) == ["candidate", "accepted"]
    assert "for 100% of the nodes" in called(models, *given, "--group", "all", "--cohort", "1")


def test_the_reason_of_a_rollback_is_kept_as_one_bounded_line(home: RegisteredHome) -> None:
    for version, gain in enumerate((FIRST, SECOND), 1):
        home.register(gain)
        publish(home, version)
    reason = " blind\nat night" + 1_000 * "!"
    keys = ("--keys", str(home.folder / "keys"))
    called(models, "rollback", f"{home.root}/runs/cars", "--reason", reason, *keys)
    kept = home.entries(2)[-1].reason
    assert kept.startswith(r"blind\nat night!!!")
    assert len(kept) < 600


def test_a_store_that_was_tampered_with_is_not_published(home: RegisteredHome) -> None:
    home.register(FIRST)
    exported = exported_of(home.files, read_card(home.files, 1))
    assert exported is not None
    Path(exported.file.uri).write_bytes(b"another model")
    with pytest.raises(Exception, match="digest"):
        publish(home, 1)


def test_of_the_first_version_there_is_nothing_to_go_back_to(home: RegisteredHome) -> None:
    home.register(FIRST)
    publish(home, 1)
    with pytest.raises(InputError, match="nothing else was published for all"):
        byhand.roll_back(order_of(home), None)
    assert home.history.champion == 1


def test_versions_that_no_node_had_stay_when_the_first_one_is_taken_back(
    home: RegisteredHome,
) -> None:
    home.publisher.put(tiny_model(0.95))
    for gain in (FIRST, SECOND, THIRD):
        home.register(gain)
    publish(home, 2)
    home.register(0.85)
    assert home.history.champion == 4
    release, taken_back = byhand.roll_back(order_of(home), None)
    assert (release.name, taken_back) == ("tiny.onnx", [4, 3, 2])
    assert home.history.champions == (1,)


def test_rounds_start_from_the_initial_model_when_all_versions_are_taken_back(
    home: RegisteredHome,
) -> None:
    home.publisher.put(tiny_model(0.95))
    home.register(FIRST)
    publish(home, 1)
    _, taken_back = byhand.roll_back(order_of(home), None)
    assert (taken_back, home.history.basis) == ([1], None)
    assert start_of(home.files, "iqr", 7) == read_card(home.files, 1)
    assert basis_of(home.files) == read_card(home.files, 1)


def test_what_the_registry_said_before_it_was_cut_off_is_made_up_for(
    home: RegisteredHome,
) -> None:
    for version, gain in enumerate((FIRST, SECOND, THIRD), 1):
        home.register(gain)
        publish(home, version)
    settling.note_taken_back(home.files, 3, by="ann", reason="x")  # and then it was killed
    release, taken_back = byhand.roll_back(order_of(home), None)
    assert (release.name, taken_back) == ("cars-v2", [])
    assert home.history.champion == 2


def model_of(home: RegisteredHome, version: int) -> NewModel:
    exported = exported_of(home.files, read_card(home.files, version))
    assert exported is not None
    return model_in_store(exported, home.folder / "probe", None, f"cars-v{version}")


def with_canary(home: RegisteredHome) -> Publication:
    home.register(FIRST)
    publish(home, 1)
    home.register(SECOND)
    settings = home.config.publish
    assert settings is not None
    nodes = read_fleet(home.root, NOW, 900)
    going = Publication(home.files, home.publisher.repository, settings, nodes, NOW)
    assert publish_version(going, 2, model_of(home, 2), 0) is not None
    return going


def test_a_version_is_taken_back_whose_publication_is_not_recorded_yet(
    home: RegisteredHome,
) -> None:
    for version, gain in enumerate((FIRST, SECOND), 1):
        home.register(gain)
        publish(home, version)
    home.register(THIRD)
    publishing.publish(home.publisher.repository, "all", model_of(home, 3), Choice(), 0.3)
    release, taken_back = byhand.roll_back(order_of(home), None)
    assert (release.name, taken_back) == ("cars-v2", [3])
    assert release.cohort == 1
    assert home.history.aliases == {"champion": 2}


def test_a_person_may_end_a_probation_either_way(home: RegisteredHome) -> None:
    going = with_canary(home)
    _, taken_back = byhand.roll_back(order_of(home), None)
    assert taken_back == [2]
    assert home.release.name == "cars-v1"
    publish(home, 2)
    assert home.history.aliases == {"champion": 2}
    assert settling.made_up(going) == []


def test_publishing_the_version_on_probation_lets_it_go_to_all(home: RegisteredHome) -> None:
    going = with_canary(home)
    publish(home, 2)
    assert home.release.cohort == 1
    assert home.history.aliases == {"champion": 2}
    assert settling.made_up(going) == ["cars@2: goes on to all nodes"]
    assert home.plan.held_for == ""


def test_publishing_another_version_ends_a_probation(home: RegisteredHome) -> None:
    with_canary(home)
    home.register(THIRD)
    publish(home, 3)
    assert home.entries(2)[-1].reason == "cars@3 was published in its place"
    assert home.history.aliases == {"champion": 3}


def test_it_is_known_which_version_each_node_runs(home: RegisteredHome) -> None:
    for node in NODES:
        home.tell(node, model="0" * 12)
    going = with_canary(home)
    inside = [node for node in NODES if home.release.includes(node)]
    outside = [node for node in NODES if node not in inside]
    assert inside
    assert outside
    found = versions_on_nodes(read_log(home.files), "all", home.plan, going.fleet)
    assert {found[node].wanted for node in inside} == {2}
    assert {found[node].wanted for node in outside} == {1}
    assert all(each.is_behind and each.runs is None for each in found.values())

    home.nodes_follow()
    nodes = read_fleet(home.root, NOW, 900)
    found = versions_on_nodes(read_log(home.files), "all", home.plan, nodes)
    assert not any(found[node].is_behind for node in inside)
    names = named_versions(home.root, nodes)
    assert {names[node] for node in inside} == {"cars@2"}
    assert {names[node] for node in outside} == {"(not yet cars@1)"}
    told = json.loads(called(fleet, "--store", home.root, "--json"))
    assert {each["name"]: each["version"] for each in told} == names
    assert "cars@2" in called(fleet, "--store", home.root)

    rollouts.back(home.publisher.repository, "all")
    settling.made_up(going)
    nodes = read_fleet(home.root, NOW, 900)
    assert named_versions(home.root, nodes)[inside[0]] == "cars@2 (not yet cars@1)"
    assert versions_on_nodes(read_log(home.files), "other", None, nodes) == {}
