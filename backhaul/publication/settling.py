"""End the probation of a version, take versions back, and finish what was cut off.

The registry is written first, and nodes follow: what it says and they do not have yet is made
up for by `made_up`, which each hour begins with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backhaul.errors import InputError
from backhaul.node.updates.release import PublishedFile, Release
from backhaul.publication import rollouts
from backhaul.publication.publishing import Targets, republish
from backhaul.publication.releases import (
    files_of,
    release_at,
    release_before,
    required_release,
)
from backhaul.publication.repository import Repository
from backhaul.publication.versions import Publication, name_in_release
from backhaul.registry.history import History, history_of
from backhaul.registry.log import Entry, Value, append, read_log
from backhaul.registry.published import PublishedVersion, published_versions
from backhaul.registrylayout import RegistryFiles

_OUT = ("canary", "published")
"""States of versions that nodes are to run."""


def promote(
    publication: Publication, version: int, reason: str, values: Mapping[str, Value]
) -> bool:
    """Let a version on probation go to all nodes; return whether it was still on probation.

    Args:
        publication: How versions reach nodes.
        version: The version.
        reason: Why, one line.
        values: What it is decided by.
    """
    entry = Entry(
        kind="promoted", version=version, by="canary", reason=reason, values=dict(values)
    )

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        return entry if history_of(entries).canary == version else None

    if append(publication.files, entry_for)[-1] != entry:
        return False
    root, name = publication.repository.root, publication.named(version)
    rollouts.let_go(root, publication.group, name)
    return True


def note_taken_back(
    files: RegistryFiles,
    version: int,
    *,
    by: str,
    reason: str,
    values: Mapping[str, Value] | None = None,
) -> bool:
    """Record that a version is taken back; return whether it was not yet.

    Args:
        files: Where the registry lies.
        version: The version.
        by: Who decides.
        reason: Why, one line.
        values: What it is decided by.
    """
    entry = Entry(
        kind="rolled-back", version=version, by=by, reason=reason, values=dict(values or {})
    )

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        state = history_of(entries).states.get(version)
        return None if state in {None, "rolled-back"} else entry

    return append(files, entry_for)[-1] == entry


def give_back(repository: Repository, files: RegistryFiles, group: str) -> Release:
    """Let all nodes of a group have the champion again, and return its release.

    That is what all had before, as the signed list says, unless another version is champion
    that was published. Twice is harmless.

    Raises:
        InputError: If there is nothing to go back to.
    """
    entries = read_log(files)
    champion = history_of(entries).champion
    target = published_versions(entries, group).get(champion or 0)
    targets = repository.read().targets.targets
    now = required_release(repository.root, targets, group)
    if target is not None and now.model.sha256 == target.model and now.cohort == 1:
        return now
    if target is not None and had_before(repository, targets, group) != target.model:
        return _give(repository, group, target)
    return rollouts.back(repository, group)


def had_before(repository: Repository, targets: Targets, group: str) -> str:
    """Return the digest of the model that all nodes had before; empty where that is gone."""
    try:
        return release_before(repository.root, targets, group)[0].model.sha256
    except InputError:
        return ""


def made_up(publication: Publication) -> list[str]:
    """Finish what was begun and cut off, and note what others did; return it in words.

    Args:
        publication: How versions reach nodes.
    """
    entries = read_log(publication.files)
    history = history_of(entries)
    published = published_versions(entries, publication.group)
    release, plan = publication.release, publication.rollout
    done = []
    if release is not None and (
        is_taken_back(history, published, release.model.sha256)
        or release.name in _unnoted(publication, history, published)
    ):
        given = give_back(publication.repository, publication.files, publication.group)
        done.append(f"{publication.group}: {given.name} again for all nodes")
        release, plan = publication.release, publication.rollout
    if plan is not None and plan.held_for and plan.state in {"going", "paused"}:
        version = _held(plan.held_for, publication)
        if version is not None and history.states.get(version) == "published":
            rollouts.let_go(publication.repository.root, publication.group, plan.held_for)
            done.append(f"{plan.held_for}: goes on to all nodes")
    for version in _replaced(publication, history, published, release):
        reason = f"something else was published for {publication.group}"
        if note_taken_back(publication.files, version, by="others", reason=reason):
            done.append(f"{publication.named(version)}: {reason}")
    return done


def _unnoted(
    publication: Publication, history: History, published: Mapping[int, PublishedVersion]
) -> set[str]:
    """Return what releases call versions of whose publication the registry knows nothing.

    They were taken back while they were published, so that no entry followed.
    """
    run = publication.files.run.name
    return {
        name_in_release(run, version)
        for version, state in history.states.items()
        if state == "rolled-back" and version not in published
    }


def is_taken_back(
    history: History, published: Mapping[int, PublishedVersion], model: str
) -> bool:
    """Return whether a model is that of versions which were all taken back."""
    states = [history.states[v] for v, each in published.items() if each.model == model]
    return bool(states) and all(state == "rolled-back" for state in states)


def _replaced(
    publication: Publication,
    history: History,
    published: Mapping[int, PublishedVersion],
    release: Release | None,
) -> list[int]:
    """Return versions that nodes are no more to run, as others decided.

    A version on probation is one if anything else is published. One that all have is one if it
    was taken back by `backhaul fleet rollout --back`, which the rollout says.
    """
    canary, champion, plan = history.canary, history.champion, publication.rollout
    found = []
    for version in {each for each in (canary, champion) if each is not None}:
        own = published.get(version)
        is_out = history.states[version] in _OUT
        if own is None or release is None or not is_out or own.model == release.model.sha256:
            continue
        is_back = plan is not None and plan.state == "back" and plan.model == own.model
        if version == canary or is_back:
            found.append(version)
    return found


def _held(name: str, publication: Publication) -> int | None:
    run, _, number = name.rpartition("@")
    is_ours = run == publication.files.run.name and number.isdigit()
    return int(number) if is_ours else None


def _give(repository: Repository, group: str, version: PublishedVersion) -> Release:
    """Publish for all nodes a version that was published before; policies stay as they are."""
    root = repository.root

    def change(targets: Targets) -> tuple[Release, Targets]:
        now = release_at(root, targets, group)
        fields = {} if now is None else now.model_dump(exclude_unset=True)
        fields |= {"name": version.name, "cohort": 1.0, "format": 1}
        fields["model"] = PublishedFile(sha256=version.model, bytes=version.model_bytes)
        fields["probe"] = PublishedFile(sha256=version.probe, bytes=version.probe_bytes)
        release = Release.model_validate(fields)
        return release, files_of(root, release)

    return republish(repository, group, change)
