"""Publish a version of a run's model: to the first nodes on probation, or by steps to all."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backhaul.campaign.publish import Publish
from backhaul.fleet.nodes import NodeView
from backhaul.fleet.rollout import ROLLOUT, Rollout
from backhaul.node.updates.release import Choice, Release, release_place
from backhaul.nodelayout import rollout_place
from backhaul.publication import rollouts
from backhaul.publication.probations import ProbationRecord, begin_probation
from backhaul.publication.publishing import NewModel, publish
from backhaul.publication.releases import has_one_before, release_at
from backhaul.publication.repository import Repository
from backhaul.registry.history import History, history_of
from backhaul.registry.log import Entry, Kind, append, read_log
from backhaul.registry.published import PublishedVersion, published_versions
from backhaul.registrylayout import RegistryFiles

_MOST_NAME = 80


@dataclass(frozen=True)
class Publication:
    """How the versions of a run reach nodes.

    Args:
        files: The registry of the run.
        repository: Where they are published.
        settings: For whom, and how carefully.
        fleet: The nodes, as they told last.
        now_s: The time, seconds since 1970.
    """

    files: RegistryFiles
    repository: Repository
    settings: Publish
    fleet: Sequence[NodeView]
    now_s: float

    @property
    def group(self) -> str:
        """The group of nodes."""
        return self.settings.group

    def named(self, version: int) -> str:
        """Return what people call a version."""
        return f"{self.files.run.name}@{version}"

    @property
    def rollout(self) -> Rollout | None:
        """The rollout of the group, as it stands; None without one."""
        return ROLLOUT.read(rollout_place(self.repository.root, self.group))

    @property
    def release(self) -> Release | None:
        """What is published for the group; None for nothing."""
        return release_at(
            self.repository.root, self.repository.read().targets.targets, self.group
        )

    @property
    def has_one_before(self) -> bool:
        """Whether all nodes of the group had something, that they can go back to."""
        target = self.repository.read().targets.targets.get(release_place(self.group))
        release = self.release
        for_all = release is not None and release.cohort == 1
        return for_all or has_one_before(target)


def name_in_release(run: str, version: int) -> str:
    """Return what the release calls the model of a version: what nodes take for a name."""
    return f"{run.replace('/', '-')[:_MOST_NAME]}-v{version}"


def as_published(release: Release, group: str) -> PublishedVersion:
    """Return what the registry notes of a release that was published for a group."""
    return PublishedVersion(
        group=group,
        name=release.name,
        model=release.model.sha256,
        model_bytes=release.model.bytes,
        probe=release.probe.sha256,
        probe_bytes=release.probe.bytes,
    )


def version_due(history: History, plan: Rollout | None, run: str) -> int | None:
    """Return the version that is to be published next; None for none.

    That is the champion, if it was not published yet, or one whose publication was cut off.

    Args:
        history: What is true of the run's models.
        plan: The rollout of their group.
        run: Name of the run.
    """
    if history.canary is not None:
        return None
    waiting = [v for v in history.champions if history.states[v] == "accepted"]
    begun = [v for v in waiting if plan is not None and plan.held_for == f"{run}@{v}"]
    return next(iter(begun), next((v for v in waiting if v == history.champion), None))


def hindrance(plan: Rollout | None, model: str) -> str:
    """Return why no other model can be published for now; empty if it can.

    Args:
        plan: The rollout of the group.
        model: Digest of the model that is to be published.
    """
    if plan is None or plan.model == model or plan.state not in {"going", "paused"}:
        return ""
    return f"the rollout of {plan.name} is {plan.state}: {plan.why or 'it has just begun'}"


def champion_before(history: History, version: int, known: Collection[int]) -> int | None:
    """Return the last champion before this one that nodes had; None for none.

    Args:
        history: What is true of the run's models.
        version: A champion.
        known: Versions that were published for nodes.
    """
    before = history.champions[: history.champions.index(version)]
    return next((each for each in reversed(before) if each in known), None)


def publish_version(
    publication: Publication, version: int, model: NewModel, log: int
) -> Entry | None:
    """Publish a version for the first nodes, and return what the registry says of it then.

    It is on probation if there is one, a version before it that nodes had, and something that
    they can go back to. The entry comes last: where this ends before it, the next call finds
    what is done, and does the rest.

    Args:
        publication: How versions reach nodes.
        version: An accepted version.
        model: Its model.
        log: The last entry of the inbox's log.

    Returns:
        None if the version was decided on otherwise meanwhile.
    """
    entries = read_log(publication.files)
    history = history_of(entries)
    if version not in history.champions:
        return None
    known = published_versions(entries, publication.group)
    before = champion_before(history, version, known)
    digest = hashlib.sha256(model.data).hexdigest()
    was = known.get(before or 0)
    if was is not None and was.model == digest:
        reason = f"the model is that of {publication.named(before or 0)}"
        return _note(publication, "published", version, reason, was)
    kept = publication.settings.probation is not None and publication.has_one_before
    against = before if kept else None
    published = _publish(publication, version, model, digest, is_held=against is not None)
    group = publication.group
    if against is None:
        reason = f"goes by steps to the nodes of {group}"
        return _note(publication, "published", version, reason, published)
    record = ProbationRecord(
        version=version, against=against, began_s=publication.now_s, log=log
    )
    begin_probation(publication.files, record)
    reason = f"on the first nodes of {group}, compared with {publication.named(against)}"
    return _note(publication, "canary", version, reason, published)


def _publish(
    publication: Publication, version: int, model: NewModel, digest: str, *, is_held: bool
) -> PublishedVersion:
    """Let a release with the model begin its rollout, as far as that is not done."""
    repository, group = publication.repository, publication.group
    release = publication.release
    if release is None or release.model.sha256 != digest:
        release = publish(repository, group, model, Choice(), 0.0)
    plan = publication.rollout
    if plan is None or plan.model != digest or plan.state in {"back", "replaced"}:
        steps = publication.settings.rollout
        if not publication.has_one_before:  # nodes have nothing that they could go back to
            steps = steps.at_once()
        heard = rollouts.heard_of(publication.fleet, steps, publication.now_s)
        steps = steps.beginning_with(rollouts.least_share(digest, group, heard))
        rollouts.begin(
            *(repository, group, steps, publication.fleet, publication.now_s),
            held_for=publication.named(version) if is_held else "",
        )
    return as_published(release, group)


def _note(
    publication: Publication,
    kind: Kind,
    version: int,
    reason: str,
    published: PublishedVersion,
) -> Entry | None:
    entry = Entry(
        kind=kind, version=version, by="canary", reason=reason, values=published.values
    )

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        history = history_of(entries)
        is_due = history.states.get(version) == "accepted" and history.canary is None
        return entry if is_due else None

    last = append(publication.files, entry_for)[-1]
    return last if last == entry else None
