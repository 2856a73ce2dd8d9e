"""What an operator should know of all nodes: of statuses, of windows, and of rollouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from backhaul.errors import InputError
from backhaul.fleet.nodes import NodeView, read_fleet
from backhaul.fleet.problems import Problem, in_words
from backhaul.fleet.rollout import ROLLOUT, Rollout
from backhaul.fleet.windows import problems_of_windows, recent_windows
from backhaul.inbox.summary import Summary
from backhaul.nodelayout import rollouts_folder
from backhaul.settings import Part, PositiveInt
from backhaul.storage.listing import names_in
from backhaul.untrusted import one_line

_DAY_S = 86_400.0
MOST_TEXT = 1_000
"""Letters of what is said of a rollout."""


class Watch(Part):
    """From where on something is a problem."""

    late_min: float = Field(
        15.0, gt=0, description="a node that was not heard of for longer is silent, minutes"
    )
    drift: float = Field(
        0.25,
        gt=0,
        description="stability index of confidences or classes from which on a node has "
        "drifted; what chance alone may do is added",
    )
    probation_d: float = Field(
        7.0, gt=0, description="a version that is on probation for longer is told, days"
    )
    day_bytes: PositiveInt | None = Field(
        None, description="most bytes that a node may send in a day; null = no limit"
    )


def watched(
    root: str, watch: Watch, now_s: float
) -> tuple[list[NodeView], dict[str, list[Summary]]]:
    """Return the nodes as they told last, and the windows that they told in the last day.

    Args:
        root: Root of the store.
        watch: From where on something is a problem.
        now_s: The time, seconds since 1970.
    """
    return read_fleet(root, now_s, watch.late_min * 60), recent_windows(root, now_s)


def problems_now(
    root: str,
    watch: Watch,
    fleet: Sequence[NodeView],
    windows: Mapping[str, Sequence[Summary]],
    now_s: float,
) -> list[Problem]:
    """Return all that is wrong, by subject and kind; of one kind, a subject has one.

    Args:
        root: Root of the store.
        watch: From where on something is a problem.
        fleet: The nodes, as they told last.
        windows: What they told in the last day, by node.
        now_s: The time, seconds since 1970.
    """
    found = [problem for view in fleet for problem in view.found]
    found += problems_of_windows(root, windows, watch.drift, watch.day_bytes)
    rollouts, damaged = rollouts_in(root)
    found += damaged
    found += [_pause_of(plan) for plan in rollouts if plan.state == "paused"]
    found += [
        _probation_of(plan, now_s - plan.began_s)
        for plan in rollouts
        if plan.state == "going"
        and plan.held_for
        and now_s - plan.began_s > watch.probation_d * _DAY_S
    ]
    first = {(each.subject, each.kind): each for each in reversed(found)}
    return [first[key] for key in sorted(first)]


def rollouts_in(root: str) -> tuple[list[Rollout], list[Problem]]:
    """Return the rollouts of all groups, and what is wrong with those that cannot be read."""
    folder = rollouts_folder(root)
    rollouts, problems = list[Rollout](), list[Problem]()
    for name in names_in(folder):
        group, dot, _ = name.rpartition(".json")
        if not dot or name.startswith("."):
            continue
        try:
            plan = ROLLOUT.read(f"{folder}/{name}")
        except InputError as error:
            problems.append(Problem(f"group {group}", "rollout", one_line(str(error))))
            continue
        rollouts += [] if plan is None else [plan]
    return rollouts, problems


def _pause_of(plan: Rollout) -> Problem:
    text = one_line(f"rollout of {plan.name} pauses: {plan.why}", MOST_TEXT)
    return Problem(one_line(f"group {plan.group}"), "rollout", text)


def _probation_of(plan: Rollout, since_s: float) -> Problem:
    text = (
        f"{plan.held_for} is on probation for {in_words(since_s)}: waits for labelled frames "
        f"that chance drew on its nodes; `hourly` says how many there are"
    )
    return Problem(one_line(f"group {plan.group}"), "probation", one_line(text, MOST_TEXT))
