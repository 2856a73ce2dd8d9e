"""What an hour does for the versions of a run's model: nodes get them, or give them back."""

from __future__ import annotations

import time
from pathlib import Path

from prefect import get_run_logger

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.publish import Publish
from backhaul.errors import InputError
from backhaul.fleet.nodes import read_fleet
from backhaul.fleet.rollout import failed_by_model, named
from backhaul.inbox.log import next_number
from backhaul.layout import RunFiles
from backhaul.publication import rollouts
from backhaul.publication.keys import read_keys
from backhaul.publication.newmodel import model_in_store
from backhaul.publication.probations import PROBATION, in_words, values_of
from backhaul.publication.repository import Repository
from backhaul.publication.settling import give_back, made_up, note_taken_back, promote
from backhaul.publication.versions import (
    Publication,
    hindrance,
    name_in_release,
    publish_version,
    version_due,
)
from backhaul.registry.cards import read_card
from backhaul.registry.history import history_of
from backhaul.registry.log import Value, read_log
from backhaul.registrylayout import RegistryFiles
from flows.export import RefusedExportError, version_for_nodes
from flows.probation import gather

_LATE_S = 900.0


def publish_versions(config: CampaignConfig, files: RunFiles) -> None:
    """Do what is due for the versions of a run, if it says how they reach nodes.

    The champion that was not published yet goes to the first nodes; a version that is there is
    compared with the one before, and goes on to all nodes or is taken back. Each step is found
    done, or done again, wherever an earlier hour ended.

    Args:
        config: The campaign, opened.
        files: The files of the run.

    Raises:
        InputError: If keys or probe images are missing.
    """
    if config.publish is None or config.publish.signing is None:
        return
    publication = _publication(config.publish, config.publish.signing, files)
    _make_up(publication)
    _advance(publication)
    canary = history_of(read_log(publication.files)).canary
    if canary is None:
        _publish_next(config, publication)
    else:
        _judge(config, publication, canary)


def _publication(settings: Publish, keys: str, files: RunFiles) -> Publication:
    now_s = time.time()
    return Publication(
        files=RegistryFiles(files),
        repository=Repository(files.root, read_keys(Path(keys).expanduser()), settings.days),
        settings=settings,
        fleet=read_fleet(files.root, now_s, _LATE_S),
        now_s=now_s,
    )


def _make_up(publication: Publication) -> None:
    for done in made_up(publication):
        get_run_logger().warning("%s", done)


def _advance(publication: Publication) -> None:
    """Take the step of a rollout that is due, where the flow `fleet` is not run."""
    plan = publication.rollout
    if plan is not None and plan.state == "going" and publication.release is not None:
        repository, group = publication.repository, publication.group
        rollouts.advance(repository, group, publication.fleet, publication.now_s)


def _publish_next(config: CampaignConfig, publication: Publication) -> None:
    files, settings, plan = publication.files, publication.settings, publication.rollout
    version = version_due(history_of(read_log(files)), plan, files.run.name)
    if version is None:
        return
    try:
        exported = version_for_nodes(
            files, read_card(files, version), settings.export, trust=config.training.trust
        )
    except RefusedExportError as error:
        get_run_logger().warning("not published: %s", error)
        return
    name = publication.named(version)
    if why := hindrance(plan, exported.file.sha256):
        get_run_logger().info("%s waits to be published: %s", name, why)
        return
    model = model_in_store(
        exported,
        _probe(settings),
        _labelled(settings),
        name_in_release(files.run.name, version),
    )
    last = next_number(files.run.root) - 1
    entry = publish_version(publication, version, model, last)
    if entry is None:
        get_run_logger().warning("%s: was decided on otherwise meanwhile", name)
        _make_up(publication)
        return
    get_run_logger().info("%s: %s: %s", name, entry.kind, entry.reason)


def _judge(config: CampaignConfig, publication: Publication, version: int) -> None:
    """Compare a version on probation with the one before, and end that if it is time."""
    settings, files = publication.settings.probation, publication.files
    if why := _failed_on_nodes(publication):
        _take_back(publication, version, why, {})
        return
    if settings is None:
        _promote(publication, version, "the config asks for no probation any more", {})
        return
    record = PROBATION.read(files.probation(version))
    if record is None:
        raise InputError(f"{files.probation(version)}: is gone: expected what was seen so far")
    record = gather(config, publication, record, settings)
    found = record.compared(settings, publication.now_s)
    said, values = in_words(found, settings), values_of(found)
    if found.outcome == "open":
        name = publication.named(version)
        get_run_logger().info("%s is on probation: %s", name, said)
    elif found.outcome == "not worse":
        _promote(publication, version, said, values)
    else:
        _take_back(publication, version, said, values)


def _failed_on_nodes(publication: Publication) -> str:
    """Return why nodes did not keep what is on its way; empty if enough of them did."""
    plan = publication.rollout
    if plan is None or plan.state not in {"going", "paused"}:
        return ""
    failed = failed_by_model(plan, publication.fleet, publication.now_s)
    return named(failed)


def _promote(
    publication: Publication, version: int, reason: str, values: dict[str, Value]
) -> None:
    if promote(publication, version, reason, values):
        get_run_logger().info("%s: promoted: %s", publication.named(version), reason)


def _take_back(
    publication: Publication, version: int, reason: str, values: dict[str, Value]
) -> None:
    if not note_taken_back(
        publication.files, version, by="canary", reason=reason, values=values
    ):
        return
    given = give_back(publication.repository, publication.files, publication.group)
    get_run_logger().warning(
        "%s: taken back: %s; %s again for all nodes",
        *(publication.named(version), reason, given.name),
    )


def _probe(settings: Publish) -> Path:
    if settings.probe is None:
        raise InputError("publish.probe: expected a folder of images as the nodes have them")
    return Path(settings.probe).expanduser()


def _labelled(settings: Publish) -> Path | None:
    return None if settings.labelled is None else Path(settings.labelled).expanduser()
