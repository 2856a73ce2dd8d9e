"""Publish a version by hand, and take versions back by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backhaul.errors import InputError
from backhaul.node.updates.release import Choice, Release
from backhaul.publication.publishing import NewModel, publish
from backhaul.publication.releases import required_release
from backhaul.publication.repository import Repository
from backhaul.publication.settling import (
    give_back,
    had_before,
    is_taken_back,
    note_taken_back,
)
from backhaul.publication.versions import as_published
from backhaul.registry.history import History, history_of
from backhaul.registry.log import Entry, append, read_log
from backhaul.registry.published import PublishedVersion, published_versions
from backhaul.registrylayout import RegistryFiles

_GOOD = ("accepted", "canary", "published", "rolled-back")
"""States of versions that a person may publish."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """Who decides on the versions of a run, for which nodes, and why.

    Args:
        files: The registry of the run.
        repository: Where they are published.
        group: The group of nodes.
        by: Name of the person.
        reason: Why, one line; empty = they do not say.
    """

    files: RegistryFiles
    repository: Repository
    group: str
    by: str
    reason: str = ""


def publish_by_hand(order: ByHand, version: int, model: NewModel, choice: Choice) -> Release:
    """Publish a version for all nodes of a group, at once, and record that; return its release.

    A version that is on probation goes on to all by that; another one ends its probation.

    Args:
        order: Who decides.
        version: The version.
        model: Its model.
        choice: Policies and budget; what is null stays.

    Raises:
        InputError: If the version was not accepted.
    """
    files = order.files
    state = history_of(read_log(files)).states.get(version)
    if state not in _GOOD:
        raise InputError(
            f"{files.run.name}@{version}: is {state or 'no version'}: expected one that was "
            "accepted"
        )
    release = publish(order.repository, order.group, model, choice, 1.0)
    entry = Entry(
        kind="published",
        version=version,
        by=order.by,
        reason=order.reason or f"for all nodes of {order.group}",
        values=as_published(release, order.group).values,
    )
    append(files, lambda _: entry)
    canary = history_of(read_log(files)).canary
    if canary is not None:
        why = f"{files.run.name}@{version} was published in its place"
        note_taken_back(files, canary, by=order.by, reason=why)
    return release


def roll_back(order: ByHand, to: int | None) -> tuple[Release, list[int]]:
    """Let all nodes of a group have an earlier version again.

    Taken back are the version on probation and all that were accepted after the one to go back
    to, so that none of them is published again by itself. Twice is harmless.

    Args:
        order: Who decides.
        to: The version to go back to; None = the one before what nodes run.

    Returns:
        The release that nodes have again, and the versions that were taken back.

    Raises:
        InputError: If there is nothing to go back to; then nothing is changed.
    """
    files = order.files
    entries = read_log(files)
    history = history_of(entries)
    known = published_versions(entries, order.group)
    taken_back: list[int] = []
    for version in _to_take_back(order, history, known, to):
        reason = order.reason or "by hand"
        if note_taken_back(files, version, by=order.by, reason=reason):
            taken_back.append(version)
    return give_back(order.repository, files, order.group), taken_back


def _to_take_back(
    order: ByHand, history: History, known: dict[int, PublishedVersion], to: int | None
) -> Sequence[int]:
    """Return the versions that are to be taken back, the last one first."""
    if to is not None:
        return _after(history, _required(order, history, known, to))
    repository, group = order.repository, order.group
    targets = repository.read().targets.targets
    release = required_release(repository.root, targets, group)
    if is_taken_back(history, known, release.model.sha256):
        return ()  # the registry says so, and only nodes are to follow
    before = had_before(repository, targets, group)
    if not before or is_taken_back(history, known, before):
        raise InputError(
            f"{order.group}: nothing else was published for all of its nodes before "
            f"{release.name}, or it is there again: say which version: --to VERSION"
        )
    target = _before(history, known, release.model.sha256)
    if target is None:
        return _from(history, known, release.model.sha256)
    return _after(history, target)


def _before(history: History, known: dict[int, PublishedVersion], model: str) -> int | None:
    """Return the last version that nodes had and whose model is not what is published now.

    What is published now may be of a version of which the registry does not know that yet.
    """
    good = (v for v in reversed(history.champions) if v in known and known[v].model != model)
    return next(good, None)


def _required(
    order: ByHand, history: History, known: dict[int, PublishedVersion], to: int
) -> int:
    if to in history.champions and to in known:
        return to
    name = f"{order.files.run.name}@{to}"
    good = ", ".join(str(each) for each in history.champions if each in known) or "none"
    raise InputError(
        f"{name}: expected a version that nodes of {order.group} had and that was not taken "
        f"back: {good}; another one can be published: `backhaul models publish {name}`"
    )


def _after(history: History, target: int) -> Sequence[int]:
    """Return what is taken back to go back to a version, the last one first."""
    later = history.champions[history.champions.index(target) + 1 :]
    canary = () if history.canary is None else (history.canary,)
    return (*canary, *reversed(later))


def _from(history: History, known: dict[int, PublishedVersion], model: str) -> Sequence[int]:
    """Return the versions of a model and what was accepted after them, the last one first.

    Versions before them stay: later rounds start from those, though no node ever had them.
    """
    order = [*history.decided]
    out = [v for v, each in known.items() if each.model == model and v in order]
    later = order[min(map(order.index, out)) :] if out else ()
    held = {*history.champions, history.canary}
    return [version for version in reversed(later) if version in held]
