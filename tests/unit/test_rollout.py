"""When a rollout goes on, and when it pauses: by hand, and against counts of what was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backhaul.campaign.steps import Steps
from backhaul.fleet.nodes import NodeView
from backhaul.fleet.rollout import (
    ROLLOUT,
    NodeFate,
    Rollout,
    decide,
    fates_of,
    named,
    resumed,
)
from backhaul.fleet.status import Status
from backhaul.node.updates.release import in_cohort

MODEL = "ab" * 32
RELEASES = tuple(f"{n}" * 64 for n in (1, 2, 3))
BEGAN, SOAK, SILENT = 1_000_000.0, 3_600.0, 900.0
NOW = BEGAN + 10_000
INSIDE = [f"cam-{n}" for n in range(200) if in_cohort(MODEL, f"cam-{n}", 0.1)]
OUTSIDE = [f"cam-{n}" for n in range(200) if not in_cohort(MODEL, f"cam-{n}", 0.1)]

Made = Literal["soaked", "runs", "waits", "refused", "back", "silent"]
MADE: tuple[Made, ...] = ("soaked", "runs", "waits", "refused", "back", "silent")
BAD = ("refused", "back", "silent")


def plan_of(**changes: object) -> Rollout:
    steps = Steps(cohorts=(0.1, 0.5, 1.0), soak_s=SOAK, most_failed=0.25, silent_s=SILENT)
    plan = Rollout(
        group="all", name="m", model=MODEL, releases=RELEASES, steps=steps, began_s=BEGAN
    )
    return plan.model_copy(update=changes)


def view(
    name: str, told_s: float = NOW, release: str = "", refused: str = "", group: str = "all"
) -> NodeView:
    status = Status(
        group=group, release=release, update_refused=refused, update_asked_s_ago=60.0
    )
    return NodeView(name, told_s, status, ())


def made(name: str, kind: Made) -> tuple[NodeView, dict[str, float | None]]:
    """A node that fares as said, and what the plan knows of it."""
    has, old = RELEASES[0][:12], "0" * 12
    ways: dict[Made, tuple[NodeView, float | None]] = {
        "soaked": (view(name, release=has), NOW - SOAK),
        "runs": (view(name, release=has), NOW - SOAK + 1),
        "waits": (view(name, release=old), None),
        "refused": (view(name, release=old, refused=f"model {MODEL[:12]}: no"), None),
        "back": (view(name, release=old, refused="model x: slow"), NOW - SOAK),
        "silent": (view(name, NOW - SILENT - 1, has), NOW - 2 * SOAK),
    }
    told, since_s = ways[kind]
    return told, {} if since_s is None else {name: since_s}


def world(kinds: Sequence[Made], **changes: object) -> tuple[Rollout, list[NodeView]]:
    names = INSIDE if changes.get("step", 0) == 0 else [*INSIDE, *OUTSIDE]
    pairs = [made(name, kind) for name, kind in zip(names, kinds, strict=False)]
    since = {name: at for _, known in pairs for name, at in known.items()}
    return plan_of(ran_since=since, **changes), [each for each, _ in pairs]


@given(st.lists(st.sampled_from(MADE), max_size=len(INSIDE)), st.sampled_from([0, 2]))
def test_the_decision_is_that_of_the_counts(kinds: list[Made], step: int) -> None:
    plan, fleet = world(kinds, step=step)
    after = decide(plan, fleet, NOW)
    n, n_bad = len(kinds), sum(kind in BAD for kind in kinds)
    n_soaked = kinds.count("soaked")
    if n_bad > 0.25 * n:
        assert (after.state, after.step) == ("paused", step)
        assert after.why.startswith(f"{n_bad} of {n} nodes: ")
    elif n_soaked and n_soaked >= 0.75 * n:
        expected = ("going", 1) if step == 0 else ("done", 2)
        assert (after.state, after.step) == expected
    else:
        assert (after.state, after.step) == ("going", step)
        assert after.why


@given(st.lists(st.sampled_from(MADE), max_size=len(INSIDE)), st.randoms())
def test_others_and_the_order_of_nodes_change_nothing(kinds: list[Made], rng: object) -> None:
    plan, fleet = world(kinds)
    others = [
        *(view(name, refused="no") for name in OUTSIDE[:3]),
        *(view(name, refused="no", group="night") for name in INSIDE[len(kinds) :]),
        dataclasses.replace(view("broken"), status=None),
    ]
    mixed = [*others, *fleet]
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = decide(plan, fleet, NOW), decide(plan, mixed, NOW)
    assert (one.state, one.step) == (other.state, other.step)
    assert len(fates_of(plan, mixed, NOW)) == len(fates_of(plan, fleet, NOW))


@given(
    st.lists(st.lists(st.sampled_from(MADE), min_size=4, max_size=4), max_size=8),
    st.sampled_from(["going", "paused", "done", "back", "replaced"]),
)
def test_it_only_ever_grows_by_one_step_while_it_goes(
    times: list[list[Made]], state: str
) -> None:
    plan = plan_of(state=state)
    for kinds in times:
        _, fleet = world(kinds)
        after = decide(plan, fleet, NOW)
        assert 0 <= after.step - plan.step <= 1
        if plan.state != "going":
            assert after == plan
        elif after.state == "done":
            assert plan.is_last
        plan = after


def test_a_node_is_seen_to_run_it_before_its_time_counts() -> None:
    """The clock of the soak starts with the first status that tells of the release."""
    name = INSIDE[0]
    plan = decide(plan_of(), [view(name, NOW, RELEASES[0][:12])], NOW)
    assert plan.ran_since == {name: NOW}
    plan = decide(plan, [view(name, NOW + SOAK - 1, RELEASES[0][:12])], NOW + SOAK - 1)
    assert (plan.step, plan.why) == (0, "of 1 nodes 1 run it")
    late = NOW + SOAK + SILENT - 1  # what was told, not when it is looked at
    plan = decide(plan, [view(name, NOW + SOAK - 1, RELEASES[0][:12])], late)
    assert plan.step == 0
    plan = decide(plan, [view(name, NOW + SOAK, RELEASES[1][:12])], NOW + SOAK)
    assert plan.step == 1


def test_who_went_back_and_took_it_again_begins_anew() -> None:
    name, steps = INSIDE[0], plan_of().steps.model_copy(update={"most_failed": 1.0})
    plan = plan_of(steps=steps, ran_since={name: NOW - SOAK})
    plan = decide(plan, [view(name)], NOW)
    assert plan.ran_since == {name: None}
    plan = decide(plan, [view(name, NOW + 60, RELEASES[0][:12])], NOW + 60)
    assert (plan.ran_since, plan.step) == ({name: NOW + 60}, 0)


@pytest.mark.parametrize(
    ("status", "told_s"),
    [
        (Status(group="all", update_refused="expired", update_asked_s_ago=None), NOW),
        (Status(group="all", update_refused="expired", update_asked_s_ago=9e5), NOW),
        (Status(group="all", release=RELEASES[0][:12]), BEGAN - SILENT - 1),
        (
            Status(group="all", update_refused=f"model {'c' * 12}: slow", update_asked_s_ago=9),
            NOW,
        ),
    ],
    ids=[
        *("never asked", "asked before it began", "silent since before it began"),
        "the trial of another model ended since",
    ],
)
def test_what_was_so_before_it_began_is_no_failure(status: Status, told_s: float) -> None:
    after = decide(plan_of(), [NodeView(INSIDE[0], told_s, status, ())], NOW)
    assert (after.state, after.step) == ("going", 0)


def test_a_pause_names_nodes_with_reasons_and_resuming_excuses_them() -> None:
    plan, fleet = world(["soaked", "soaked", "back", "refused", "silent"])
    paused = decide(plan, fleet, NOW)
    assert paused.state == "paused"
    _, _, went, refused, silent = (each.name for each in fleet)
    assert f"{went}: went back: model x: slow" in paused.why
    assert f"{refused}: refused: model {MODEL[:12]}: no" in paused.why
    assert f"{silent}: silent for 901 s" not in paused.why  # in whole units
    assert f"{silent}: silent for 15 min" in paused.why
    on = resumed(paused, fleet, NOW)
    assert set(on.excused) == {went, refused, silent}
    assert decide(on, fleet, NOW).step == 1


def test_where_all_were_excused_it_waits_and_says_why() -> None:
    plan, fleet = world(["refused", "silent"])
    on = resumed(decide(plan, fleet, NOW), fleet, NOW)
    after = decide(on, fleet, NOW)
    assert (after.state, after.step) == ("going", 0)
    assert after.why == "no node counts: 2 had failed when it was resumed"


def test_very_many_failures_are_counted_and_not_named() -> None:
    failed = [NodeFate(f"n{number}", "failed", "no") for number in range(12)]
    assert named(failed).endswith("n9: no; and 2 more")


def test_a_plan_is_kept_as_it_is(tmp_path: object) -> None:
    plan, _ = world(["soaked", "back", "runs"])
    place = f"{tmp_path}/.backhaul/fleet/rollouts/all.json"
    ROLLOUT.write(place, plan)
    assert ROLLOUT.read(place) == plan


@pytest.mark.parametrize("cohorts", [(), (0.5, 0.1), (0.1, 0.1), (0.0, 1.0), (0.5, 1.5)])
def test_shares_grow(cohorts: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        Steps(cohorts=cohorts)


def test_a_plan_that_nobody_wrote_is_refused() -> None:
    fields = plan_of().model_dump()
    for wrong in ({"step": 3}, {"releases": RELEASES[:2]}, {"state": "other"}):
        with pytest.raises(ValidationError):
            Rollout.model_validate(fields | wrong)
