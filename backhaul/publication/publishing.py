"""Publish a model and a policy for a group of nodes, and say what is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from backhaul.errors import InputError, StoreError
from backhaul.node.policies import AnyPolicy
from backhaul.node.updates.errors import RefusedError
from backhaul.node.updates.probe import Probe
from backhaul.node.updates.release import (
    FORMAT,
    MOST_BYTES,
    Choice,
    PublishedFile,
    Release,
    model_place,
    probe_place,
    release_of,
    release_place,
)
from backhaul.publication.repository import Repository, Standing, put_target, target_uri
from backhaul.storage.conditional import read_bounded

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
        InputError: If there is no model, neither given nor published.
        StoreError: If others publish again and again meanwhile.
    """
    files = {} if model is None else _put_model(repository.root, model)

    def change(standing: Standing) -> dict[str, TargetFile]:
        every = dict(standing.targets.targets)
        release = _changed(
            _release(repository.root, every, group), group, model, choice, cohort
        )
        place = release_place(group)
        data = release.model_dump_json(exclude_unset=True).encode()
        every |= files
        every[place] = put_target(repository.root, place, data)
        return _used(repository.root, every)

    targets = _retried(repository, lambda at: repository.publish(at, change(at)))
    release = _release(repository.root, targets, group)
    assert release is not None  # noqa: S101 - it was just written
    return release


def refresh(repository: Repository) -> datetime:
    """Sign anew what is published; return until when it is good.

    Raises:
        InputError: If nothing is published.
        StoreError: If others publish again and again meanwhile.
    """

    def again(standing: Standing) -> bool:
        if standing.raw is None:
            raise InputError(f"{repository.root}: nothing is published there yet")
        return repository.refresh(standing)

    _retried(repository, again)
    return repository.read().timestamp.expires


def groups_of(repository: Repository, standing: Standing) -> list[PublishedGroup]:
    """Return what is published, by group."""
    targets = standing.targets.targets
    names = sorted(place.split("/")[1] for place in targets if place.startswith("groups/"))
    return [PublishedGroup(name, _release(repository.root, targets, name)) for name in names]


def _retried(
    repository: Repository, act: Callable[[Standing], bool]
) -> Mapping[str, TargetFile]:
    for _ in range(MOST_TRIES):
        if act(repository.read()):
            return repository.read().targets.targets
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


def _release(root: str, targets: Mapping[str, TargetFile], group: str) -> Release | None:
    target = targets.get(release_place(group))
    if target is None:
        return None
    data = read_bounded(target_uri(root, target), MOST_BYTES)
    try:
        target.verify_length_and_hashes(data or b"")
        return release_of(data or b"")
    except (RefusedError, LengthOrHashMismatchError):
        return None


def _used(root: str, every: dict[str, TargetFile]) -> dict[str, TargetFile]:
    """Return the releases, and the files that one of them names."""
    names = [place.split("/")[1] for place in every if place.startswith("groups/")]
    used = {release_place(name) for name in names}
    for name in names:
        release = _release(root, every, name)
        if release is None:  # damaged: what it named is not known
            return every
        used |= {model_place(release.model.sha256), probe_place(release.probe.sha256)}
    return {place: target for place, target in every.items() if place in used}


def policies_in_words(policies: tuple[AnyPolicy, ...] | None) -> str:
    """Return the names of policies, or that each node has its own."""
    return "as each node has them" if policies is None else ", ".join(p.name for p in policies)
