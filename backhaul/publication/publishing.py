"""Publish a model and a policy for a group of nodes, and say what is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from tuf.api.metadata import TargetFile

from backhaul.errors import InputError, StoreError
from backhaul.node.policies import AnyPolicy
from backhaul.node.updates.probe import Probe
from backhaul.node.updates.release import (
    FORMAT,
    Choice,
    PublishedFile,
    Release,
    model_place,
    probe_place,
)
from backhaul.publication.releases import (
    group_names,
    release_at,
    require_group_name,
    with_release,
)
from backhaul.publication.repository import Repository, Standing, put_target

Targets: TypeAlias = Mapping[str, TargetFile]
"""What is signed, by name."""
T = TypeVar("T")
MOST_TRIES = 5
"""Publishers that are faster, one after the other, before one gives up."""


@dataclass(frozen=True, slots=True, eq=False)
class NewModel:
    """A model that is to be published.

    Args:
        name: What people call it.
        data: Its file.
        probe: Probe images with what it finds in them.
    """

    name: str
    data: bytes
    probe: Probe


@dataclass(frozen=True, slots=True)
class PublishedGroup:
    """What is published for a group.

    Args:
        name: Of the group.
        release: Its release; None = it cannot be read.
    """

    name: str
    release: Release | None


def publish(
    repository: Repository,
    group: str,
    model: NewModel | None,
    choice: Choice,
    cohort: float | None,
) -> Release:
    """Publish for a group; what is not given stays as it is published.

    Args:
        repository: Where.
        group: The group.
        model: The model; None = the one that is published.
        choice: Policies and budget; what is null stays.
        cohort: Share of the nodes that take it; None = all of them with a new model, else as it
            was.

    Raises:
        InputError: If there is no model, neither given nor published, or no node may be of such
            a group.
        StoreError: If others publish again and again meanwhile.
    """
    require_group_name(group)
    files = {} if model is None else _put_model(repository.root, model)

    def change(targets: Targets) -> tuple[Release, Targets]:
        before = release_at(repository.root, targets, group)
        return _changed(before, group, model, choice, cohort), files

    return republish(repository, group, change)


def republish(
    repository: Repository,
    group: str,
    change: Callable[[Targets], tuple[Release, Targets]],
) -> Release:
    """Publish another release for a group; return it.

    Args:
        repository: Where.
        group: The group.
        change: Returns the release, and the files that it needs beside those that are signed
            already, by what is signed now. It is called again if another publisher is faster.

    Raises:
        InputError: If nodes that go by it would choose nothing.
        StoreError: If others publish again and again meanwhile.
    """

    def act(standing: Standing) -> Release | None:
        release, files = change(standing.targets.targets)
        every = {**standing.targets.targets, **files}
        signed = with_release(repository.root, every, group, release)
        return release if repository.publish(standing, signed) else None

    return _retried(repository, act)


def refresh(repository: Repository) -> datetime:
    """Sign anew what is published; return until when it is good.

    Raises:
        InputError: If nothing is published.
        StoreError: If others publish again and again meanwhile.
    """

    def again(standing: Standing) -> bool | None:
        if standing.raw is None:
            raise InputError(f"{repository.root}: nothing is published there yet")
        return repository.refresh(standing) or None

    _retried(repository, again)
    return repository.read().timestamp.expires


def refresh_if_due(repository: Repository, now: datetime) -> datetime | None:
    """Sign anew what is published once half of its time is over.

    Returns:
        Until when it is good by then; None if nothing was due.
    """
    standing = repository.read()
    left = standing.timestamp.expires - now
    if standing.raw is None or (
        standing.is_trusted and left > timedelta(days=repository.days / 2)
    ):
        return None
    return refresh(repository)


def groups_of(repository: Repository, standing: Standing) -> list[PublishedGroup]:
    """Return what is published, by group."""
    root, targets = repository.root, standing.targets.targets
    return [PublishedGroup(n, release_at(root, targets, n)) for n in group_names(targets)]


def _retried(repository: Repository, act: Callable[[Standing], T | None]) -> T:
    for _ in range(MOST_TRIES):
        if (done := act(repository.read())) is not None:
            return done
    raise StoreError(f"{repository.root}: others publish there at this moment: try again")


def _put_model(root: str, model: NewModel) -> dict[str, TargetFile]:
    probe = model.probe.model_dump_json().encode()
    files = {}
    for of, data in ((model_place, model.data), (probe_place, probe)):
        digest = TargetFile.from_data("any", data, ["sha256"]).hashes["sha256"]
        files[of(digest)] = put_target(root, of(digest), data)
    return files


def _changed(
    before: Release | None,
    group: str,
    model: NewModel | None,
    choice: Choice,
    cohort: float | None,
) -> Release:
    # What nobody set is left out, so that agents that do not know it yet can take the release.
    fields = {} if before is None else before.model_dump(exclude_unset=True)
    if model is not None:
        probe = model.probe.model_dump_json().encode()
        fields |= {"format": FORMAT, "name": model.name, "cohort": 1.0}
        fields |= {"model": _file(model.data), "probe": _file(probe)}
    if not fields:
        raise InputError(f"{group}: has no model yet: publish one")
    given = {"policies": choice.policies, "budget": choice.budget, "cohort": cohort}
    fields |= {name: value for name, value in given.items() if value is not None}
    return Release.model_validate(fields)


def _file(data: bytes) -> PublishedFile:
    digest = TargetFile.from_data("any", data, ["sha256"]).hashes["sha256"]
    return PublishedFile(sha256=digest, bytes=len(data))


def policies_in_words(policies: tuple[AnyPolicy, ...] | None) -> str:
    """Return the names of policies, or that each node has its own."""
    return "as each node has them" if policies is None else ", ".join(p.name for p in policies)
