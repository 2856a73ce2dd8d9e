"""Begin, advance, pause and undo the rollout of what is published for a group.

Where a rollout stands is a record of its own, in the store and not signed: it can hold a
release back or let it go on, and names nothing that was not signed for this group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backhaul.campaign.steps import Steps
from backhaul.errors import InputError
from backhaul.fleet.keeping import changed
from backhaul.fleet.nodes import NodeView
from backhaul.fleet.rollout import ROLLOUT, Rollout, decide, resumed
from backhaul.node.updates.release import Release, in_cohort, release_place
from backhaul.nodelayout import rollout_place
from backhaul.publication.publishing import Targets, republish
from backhaul.publication.releases import (
    digest_of,
    release_before,
    require_group_name,
    required_release,
    with_cohort,
)
from backhaul.publication.repository import Repository

_PER_CENT = 100


class _ReplacedError(Exception):
    """Somebody published another release meanwhile."""


def rollout_of(root: str, group: str) -> Rollout:
    """Return the rollout of a group, as it stands.

    Raises:
        InputError: If there is none.
    """
    found = ROLLOUT.read(_place(root, group))
    if found is None:
        raise InputError(f"{group}: has no rollout: begin one with `backhaul fleet rollout`")
    return found


def begin(
    repository: Repository,
    group: str,
    steps: Steps,
    fleet: Sequence[NodeView],
    now_s: float,
    *,
    held_for: str = "",
) -> Rollout:
    """Let what is published for a group go to the first cohort alone, and return the rollout.

    Nodes outside that have it already keep it.

    Args:
        repository: Where it is published.
        group: The group.
        steps: How carefully it goes.
        fleet: The nodes, as they told last.
        now_s: The time, seconds since 1970.
        held_for: See `Rollout`.

    Raises:
        InputError: If nothing is published, it is on its way already, or no known node of the
            group is in the first cohort.
    """
    place, root, first = _place(repository.root, group), repository.root, steps.cohorts[0]
    release = _published(repository, group)
    ROLLOUT.set_aside_if_damaged(place)
    before = ROLLOUT.read(place)
    is_on_its_way = before is not None and before.state in ("going", "paused")
    if before is not None and is_on_its_way and digest_of(release) in before.releases:
        raise InputError(
            f"{group}: {before.name} is on its way already ({before.state}): see --status"
        )
    _require_first_node(release, group, steps, heard_of(fleet, steps, now_s))

    def change(targets: Targets) -> tuple[Release, Targets]:
        return with_cohort(required_release(root, targets, group), first), {}

    release = republish(repository, group, change)
    plan = Rollout(
        group=group,
        name=release.name,
        model=release.model.sha256,
        releases=tuple(digest_of(with_cohort(release, each)) for each in steps.cohorts),
        steps=steps,
        began_s=now_s,
        held_for=held_for,
    )
    return changed(ROLLOUT, place, lambda _: plan)


def advance(
    repository: Repository, group: str, fleet: Sequence[NodeView], now_s: float
) -> Rollout:
    """Let a rollout become what it is to become by now, and return it.

    The record is written first. If this ends in between, or another publishes meanwhile, the
    next call publishes what the record says.

    Args:
        repository: Where it is published.
        group: The group.
        fleet: The nodes, as they told last.
        now_s: The time, seconds since 1970.
    """
    root = repository.root

    def change(plan: Rollout) -> Rollout:
        release = _published(repository, group)  # after the record: what that names is there
        if plan.state in ("going", "paused") and digest_of(release) not in plan.releases:
            return plan.ended("replaced", "something else was published for the group")
        if release.cohort < plan.cohort:  # it was recorded, and not yet published
            return plan
        return decide(plan, fleet, now_s)

    plan = _changed(root, group, change)
    if plan.state != "going" or _published(repository, group).cohort >= plan.cohort:
        return plan

    def widen(targets: Targets) -> tuple[Release, Targets]:
        now = required_release(root, targets, group)
        if digest_of(now) not in plan.releases:
            raise _ReplacedError
        return with_cohort(now, max(now.cohort, plan.cohort)), {}  # another may be further

    try:
        republish(repository, group, widen)
    except _ReplacedError:
        return advance(repository, group, fleet, now_s)
    return plan


def let_go(root: str, group: str, held_for: str) -> Rollout:
    """Let a rollout go on that waited for the probation of a version; others stay."""

    def change(plan: Rollout) -> Rollout:
        is_its = plan.held_for == held_for
        return plan.model_copy(update={"held_for": ""}) if is_its else plan

    return _changed(root, group, change)


def pause(root: str, group: str) -> Rollout:
    """Let a rollout go no further until it is resumed; who has the release keeps it."""
    return _changed(root, group, lambda plan: _going(plan).ended("paused", "by hand"))


def resume(root: str, group: str, fleet: Sequence[NodeView], now_s: float) -> Rollout:
    """Let a rollout go on from where it paused; nodes that have failed no longer count."""

    def change(plan: Rollout) -> Rollout:
        if plan.state != "paused":
            raise InputError(f"{plan.group}: its rollout is {plan.state}, not paused")
        return resumed(plan, fleet, now_s)

    return _changed(root, group, change)


def back(repository: Repository, group: str) -> Release:
    """Publish for all nodes of a group what all had before, and return that.

    Its rollout, if there is one, ends first, so that nobody widens it meanwhile.

    Raises:
        InputError: If nothing was published for all nodes before, or somebody publishes for
            them at this moment.
    """
    root = repository.root
    before = repository.read().targets.targets

    def change(targets: Targets) -> tuple[Release, Targets]:
        if targets.get(release_place(group)) != before.get(release_place(group)):
            raise InputError(
                f"{group}: somebody published at this moment: look what, and try again"
            )
        release, files = release_before(root, targets, group)
        return with_cohort(release, 1.0), files

    def end(plan: Rollout) -> Rollout:
        is_its = before[release_place(group)].hashes["sha256"] in plan.releases
        return plan.ended("back", "the release before is back") if is_its else plan

    change(before)  # or there is nothing to go back to
    if ROLLOUT.read(_place(root, group)) is not None:
        _changed(root, group, end)
    return republish(repository, group, change)


def heard_of(fleet: Sequence[NodeView], steps: Steps, now_s: float) -> list[NodeView]:
    """Return the nodes that did not fall silent before a rollout begins."""
    return [each for each in fleet if now_s - each.told_s <= steps.silent_s]


def least_share(model: str, group: str, fleet: Sequence[NodeView]) -> float:
    """Return the least share of a group that has a node, in whole per cent; 0 without nodes.

    Args:
        model: Digest of the model, by which nodes are drawn.
        group: The group.
        fleet: The nodes that are there.
    """
    names = _names(group, fleet)
    shares = (n / _PER_CENT for n in range(1, _PER_CENT + 1))
    return next((x for x in shares if any(in_cohort(model, name, x) for name in names)), 0.0)


def _names(group: str, fleet: Sequence[NodeView]) -> list[str]:
    return [each.name for each in fleet if each.status and each.status.group == group]


def _published(repository: Repository, group: str) -> Release:
    return required_release(repository.root, repository.read().targets.targets, group)


def _require_first_node(
    release: Release, group: str, steps: Steps, fleet: Sequence[NodeView]
) -> None:
    least = least_share(release.model.sha256, group, fleet)
    if least > steps.cohorts[0]:
        raise InputError(
            f"{group}: none of its {len(_names(group, fleet))} nodes is among "
            f"{steps.cohorts[0]:.0%} of them: begin with {least:g} or more: "
            f"`backhaul fleet rollout {group} --cohorts {least:g},1`"
        )


def _going(plan: Rollout) -> Rollout:
    if plan.state != "going":
        raise InputError(
            f"{plan.group}: its rollout is {plan.state}: there is nothing to pause"
        )
    return plan


def _changed(root: str, group: str, change: Callable[[Rollout], Rollout]) -> Rollout:
    def of(plan: Rollout | None) -> Rollout:
        return change(rollout_of(root, group) if plan is None else plan)

    return changed(ROLLOUT, _place(root, group), of)


def _place(root: str, group: str) -> str:
    require_group_name(group)
    return rollout_place(root, group)
