"""A release on its way from a few nodes to all: when it goes on, and when it pauses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from backhaul.campaign.recordfiles import RecordType
from backhaul.campaign.steps import Steps
from backhaul.fleet.nodes import NodeView
from backhaul.fleet.problems import in_words, refused_model
from backhaul.fleet.status import Status
from backhaul.node.updates.release import in_cohort
from backhaul.settings import Part

State: TypeAlias = Literal["going", "paused", "done", "back", "replaced"]
Fate: TypeAlias = Literal["soaked", "runs", "waits", "failed"]
SHORT_DIGEST = 12
"""Digits of a release's digest in a status."""
MOST_NAMED = 10
"""Nodes that are named where it says why a rollout pauses."""


class Rollout(Part):
    """A rollout as it stands. It names what is published by digests, and holds nothing of it.

    Args:
        group: The group.
        name: What people call the model.
        model: Digest of the model.
        releases: Digests of the release as it is published for each of the cohorts.
        steps: How carefully it goes.
        began_s: When it began, seconds since 1970.
        step: Which of the cohorts has the release.
        state: Whether it goes on; back = the release before was published again; replaced =
            somebody published another.
        why: What it waits for, or why it pauses, one line.
        ran_since: By node, since when it has been seen to run the release, seconds since 1970;
            None = it has run it and does not any more.
        excused: Nodes that no longer count: they had failed when it was resumed.
        held_for: The version, RUN@VERSION, whose probation has to end well before it goes
            further than the first cohort; empty = none.
    """

    group: str
    name: str
    model: str
    releases: tuple[str, ...]
    steps: Steps
    began_s: float
    step: int = Field(0, ge=0)
    state: State = "going"
    why: str = ""
    ran_since: dict[str, float | None] = Field(default_factory=dict)
    excused: tuple[str, ...] = ()
    held_for: str = ""

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        n = len(self.steps.cohorts)
        if len(self.releases) != n or self.step >= n:
            raise ValueError(f"expected {n} releases, and a step below that")
        return self

    @property
    def cohort(self) -> float:
        """Share of the nodes that have the release by now."""
        return self.steps.cohorts[self.step]

    @property
    def is_last(self) -> bool:
        """Whether there is no further cohort."""
        return self.step == len(self.steps.cohorts) - 1

    def ended(self, state: State, why: str) -> Rollout:
        """Return it in another state."""
        return self.model_copy(update={"state": state, "why": why})


ROLLOUT = RecordType("rollout", Rollout)


@dataclass(frozen=True, slots=True)
class NodeFate:
    """How a node of the present cohort fares with the release.

    Args:
        node: Its name.
        fate: soaked = it has run it for long enough; runs = not yet for so long; waits = it has
            not taken it yet; failed = it refused it, went back from it, or fell silent.
        reason: Why it failed.
        by_model: Whether it failed by the release, which it refused or went back from.
    """

    node: str
    fate: Fate
    reason: str = ""
    by_model: bool = False


def decide(plan: Rollout, fleet: Sequence[NodeView], now_s: float) -> Rollout:
    """Return what becomes of a rollout: it waits, goes one step on, is done, or pauses.

    Args:
        plan: The rollout as it stands.
        fleet: The nodes, as they told last.
        now_s: The time, seconds since 1970.
    """
    if plan.state != "going":
        return plan
    plan = plan.model_copy(update={"ran_since": _ran_since(plan, fleet)})
    fates = fates_of(plan, fleet, now_s)
    failed = [each for each in fates if each.fate == "failed"]
    n_soaked = sum(each.fate == "soaked" for each in fates)
    may_fail = _may_fail(plan, fates)
    if len(failed) > may_fail:
        return plan.ended("paused", f"{len(failed)} of {len(fates)} nodes: {named(failed)}")
    if not n_soaked or len(fates) - n_soaked > may_fail:
        return plan.model_copy(update={"why": _waits_for(plan, fates)})
    if plan.held_for:
        why = f"of {len(fates)} nodes {n_soaked} have run it for long enough; {plan.held_for} "
        return plan.model_copy(update={"why": f"{why}is on probation"})
    if plan.is_last:
        return plan.ended("done", f"{n_soaked} of {len(fates)} nodes run it")
    return plan.model_copy(update={"step": plan.step + 1, "why": "the next cohort has it now"})


def resumed(plan: Rollout, fleet: Sequence[NodeView], now_s: float) -> Rollout:
    """Return a rollout that goes on; nodes that have failed until now no longer count."""
    failed = [each.node for each in fates_of(plan, fleet, now_s) if each.fate == "failed"]
    excused = tuple(dict.fromkeys((*plan.excused, *failed)))
    return plan.ended("going", "").model_copy(update={"excused": excused})


def failed_by_model(
    plan: Rollout, fleet: Sequence[NodeView], now_s: float
) -> Sequence[NodeFate]:
    """Return the nodes that a release failed on, if these are more than may fail; else none.

    Nodes that fell silent say nothing of the release, and do not count.
    """
    fates = fates_of(plan, fleet, now_s)
    failed = [each for each in fates if each.by_model]
    return failed if len(failed) > _may_fail(plan, fates) else []


def fates_of(plan: Rollout, fleet: Sequence[NodeView], now_s: float) -> list[NodeFate]:
    """Return how the nodes of the present cohort fare that were heard of since it began.

    Args:
        plan: The rollout.
        fleet: The nodes, as they told last.
        now_s: The time, seconds since 1970.
    """
    return [
        _fate(plan, view, now_s)
        for view in fleet
        if view.name not in plan.excused
        and (
            view.name in plan.ran_since
            or (_was_heard(plan, view) and _is_of(plan, view.status))
        )
        and in_cohort(plan.model, view.name, plan.cohort)
    ]


def named(failed: Sequence[NodeFate]) -> str:
    """Return nodes with their reasons, in one line; of very many, the first."""
    words = [f"{each.node}: {each.reason}" for each in failed[:MOST_NAMED]]
    left = len(failed) - MOST_NAMED
    return "; ".join(words) + (f"; and {left} more" if left > 0 else "")


def _fate(plan: Rollout, view: NodeView, now_s: float) -> NodeFate:
    silence_s, has_run = now_s - view.told_s, view.name in plan.ran_since
    if silence_s > plan.steps.silent_s:
        return NodeFate(view.name, "failed", f"silent for {in_words(silence_s)}")
    status = view.status
    if status is None:
        return NodeFate(view.name, "failed", "its status cannot be read")
    if _runs(plan, status):
        since_s = plan.ran_since.get(view.name)
        soaked = since_s is not None and view.told_s - since_s >= plan.steps.soak_s
        return NodeFate(view.name, "soaked" if soaked else "runs")
    if has_run:
        reason = status.update_refused or f"runs {status.release or 'its own settings'}"
        return NodeFate(view.name, "failed", f"went back: {reason}", by_model=True)
    if _refuses(plan, view.told_s, status):
        return NodeFate(view.name, "failed", f"refused: {status.update_refused}", by_model=True)
    return NodeFate(view.name, "waits")


def _may_fail(plan: Rollout, fates: Sequence[NodeFate]) -> int:
    return math.floor(plan.steps.most_failed * len(fates) + 1e-9)


def _refuses(plan: Rollout, told_s: float, status: Status) -> bool:
    """Return whether a node refuses the release, and not what was published before it."""
    asked_s_ago, model = status.update_asked_s_ago, refused_model(status.update_refused)
    if not status.update_refused or asked_s_ago is None:
        return False
    if model and model != plan.model[:SHORT_DIGEST]:  # its trial went on until now
        return False
    return told_s - asked_s_ago >= plan.began_s


def _ran_since(plan: Rollout, fleet: Sequence[NodeView]) -> dict[str, float | None]:
    since = dict(plan.ran_since)
    for view in fleet:
        if view.status is None or not _is_of(plan, view.status) or not _was_heard(plan, view):
            continue
        if not _runs(plan, view.status):
            if view.name in since:
                since[view.name] = None
        elif since.get(view.name) is None:
            since[view.name] = view.told_s
    return since


def _was_heard(plan: Rollout, view: NodeView) -> bool:
    return view.told_s >= plan.began_s - plan.steps.silent_s


def _is_of(plan: Rollout, status: Status | None) -> bool:
    return status is not None and status.group == plan.group


def _runs(plan: Rollout, status: Status) -> bool:
    return any(
        digest[:SHORT_DIGEST] == status.release[:SHORT_DIGEST] for digest in plan.releases
    )


def _waits_for(plan: Rollout, fates: Sequence[NodeFate]) -> str:
    if not fates and plan.excused:
        return f"no node counts: {len(plan.excused)} had failed when it was resumed"
    if not fates:
        return f"no node of {plan.cohort:.0%} of {plan.group} was heard of since it began"
    counts = {kind: sum(each.fate == kind for each in fates) for kind in _IN_WORDS}
    words = [text.format(n=counts[kind]) for kind, text in _IN_WORDS.items() if counts[kind]]
    return f"of {len(fates)} nodes {', '.join(words)}"


_IN_WORDS: dict[Fate, str] = {
    "soaked": "{n} have run it for long enough",
    "runs": "{n} run it",
    "waits": "{n} have not taken it yet",
    "failed": "{n} failed",
}
