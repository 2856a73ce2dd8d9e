"""`backhaul fleet rollout` and `fleet set`: what they say, and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backhaul.cli.fleet import fleet as command
from backhaul.cli.models import models as models_command
from backhaul.errors import InputError
from backhaul.publication import rollouts
from tests.publishing import Publisher
from tests.tinymodels import tiny_model

FIRST, SECOND = tiny_model(0.6), tiny_model(0.7)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "home")


def run(*words: str) -> str:
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return re.sub(r"\s+", " ", result.output)


def test_the_command_begins_shows_pauses_and_goes_back(publisher: Publisher) -> None:
    publisher.put(FIRST)
    publisher.put(SECOND)
    store = ("--store", str(publisher.root))
    signing = ("--keys", str(publisher.folder / "keys"))
    with pytest.raises(InputError, match="has no rollout"):
        run("rollout", "all", "--status", *store)
    with pytest.raises(InputError, match="no name of a group"):
        run("rollout", "../x", "--status", *store)
    with pytest.raises(InputError, match="--keys"):
        run("rollout", "all", *store)
    with pytest.raises(InputError, match="expected one of"):
        run("rollout", "all", "--pause", "--resume", *store)
    for wrong, said in (
        (("--soak", "long"), "--soak long: expected a time"),
        (("--cohorts", "0.5,0.1"), "--cohorts: expected shares that grow"),
        (("--cohorts", "a"), "--cohorts a: expected shares"),
        (("--soak", "9" * 400 + "d"), "--soak: .*finite"),
        (("--resume", "--most-failed", "0.5"), "--most-failed: is for a rollout that begins"),
    ):
        with pytest.raises(InputError, match=said):
            run("rollout", "all", *wrong, *store, *signing)
    said = run("rollout", "all", "--cohorts", "0.2,1", "--soak", "90min", *store, *signing)
    assert "going, for 20% of the nodes (step 1 of 2)" in said
    assert "no node of 20% of all" in run("rollout", "all", "--advance", *store, *signing)
    assert "paused" in run("rollout", "all", "--pause", *store)
    assert "by hand" in run("rollout", "all", "--status", *store)
    assert "going" in run("rollout", "all", "--resume", *store)
    assert "again for all nodes" in run("rollout", "all", "--back", *store, *signing)
    said = run("rollout", "all", "--status", *store)
    assert said.endswith("back: the release before is back ")
    plan = rollouts.rollout_of(str(publisher.root), "all")
    assert (plan.state, plan.steps.soak_s) == ("back", 5_400)


def test_a_model_may_be_published_for_no_node_until_its_rollout_begins(
    publisher: Publisher,
) -> None:
    publisher.put(FIRST)
    (publisher.folder / "m.onnx").write_bytes(SECOND)
    given = ("--keys", str(publisher.folder / "keys"), "--store", str(publisher.root))
    model = ("publish", str(publisher.folder / "m.onnx"), "--cohort", "0", *given)
    probe = ("--probe", str(publisher.folder / "probe"))
    result = CliRunner().invoke(models_command, [*model, *probe], catch_exceptions=False)
    assert "m.onnx" in result.output
    assert publisher.cohort() == 0
    assert "(step 1 of 3)" in run("rollout", "all", *given)
    assert publisher.cohort() == 0.1
    assert "again for all nodes" in run("rollout", "all", "--back", *given)
    assert publisher.cohort() == 1.0


def test_single_settings_are_changed_and_shown(publisher: Publisher) -> None:
    publisher.put(FIRST)
    store = ("--store", str(publisher.root), "--keys", str(publisher.folder / "keys"))
    assert "policies: as each node has them" in run("set", "all", *store)
    with pytest.raises(InputError, match="no policies are published"):
        run("set", "all", "policies.street.explore=0.2", *store)
    publisher.put(None, policies=({"kind": "stream", "name": "street"},))
    said = run(
        "set",
        "all",
        "policies.street.explore=0.2",
        "budget.uplink_kbit_s=64",
        "cohort=0.5",
        *store,
    )
    assert "policies.street.explore: 0.1 -> 0.2" in said
    assert "budget.uplink_kbit_s: as each node has it -> 64.0" in said
    assert "cohort: 1.0 -> 0.5" in said
    assert publisher.cohort() == 0.5
    assert "nothing changes" in run("set", "all", "cohort=0.5", *store)
    assert "policies.street.explore: 0.2" in run("set", "all", *store)
    for wrong, expected in (
        ("policies.street.explor=1", "is no key; expected policies.street.explore"),
        ("policies.stret.explore=1", "is no key; expected policies.street.explore"),
        ("policies.street.explore=2", "policies.street.explore: .*less than or equal to 1"),
        ("budget.hours=[noon]", "hours"),
        ("cohort", "expected KEY=VALUE"),
        ("cohort=", "cohort: "),
    ):
        with pytest.raises(InputError, match=expected):
            run("set", "all", wrong, *store)
    with pytest.raises(InputError, match="nothing is published for it, only for all"):
        run("set", "night", "cohort=1", *store)


def test_settings_that_would_choose_nothing_are_refused(publisher: Publisher) -> None:
    publisher.put(FIRST, policies=({"kind": "stream", "name": "a"},))
    store = ("--store", str(publisher.root), "--keys", str(publisher.folder / "keys"))
    hours = ("budget.hours=['22:30-22:45']", "budget.minutes_an_hour=15")
    with pytest.raises(InputError, match="have no minute in common"):
        run("set", "all", *hours, *store)
    with pytest.raises(InputError, match="expected room for a frame"):
        run("set", "all", "budget.allowances=[{period: day, bytes: 900}]", *store)
    for infinite in ("policies.a.near=.inf", "budget.uplink_kbit_s=1e400"):
        with pytest.raises(InputError, match="expected finite numbers"):
            run("set", "all", infinite, *store)
    assert "hours: as each node has it" in run("set", "all", *store)
    said = run("set", "all", "budget.allowances=[{period: day, bytes: 1000}]", *store)
    assert '-> [{"period": "day", "month_begins": 1, "bytes": 1000, "carry_over": 0.0}]' in said
