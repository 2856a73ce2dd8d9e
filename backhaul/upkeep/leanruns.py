"""Checkpoints that a run needs if its config allows the others to be removed."""

from __future__ import annotations

from dataclasses import dataclass

from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.runrecords import RunRecords
from backhaul.look.settings import Inference
from backhaul.registry.cards import Card, read_cards
from backhaul.registry.history import history_of
from backhaul.registry.log import read_log
from backhaul.registrylayout import RegistryFiles
from backhaul.values.checkpoints import Checkpoint


@dataclass(frozen=True)
class LeanRun:
    """Checkpoints of a run with ``keep_checkpoints: ensemble``.

    Args:
        needed: Names of the objects of the checkpoints that it needs.
        spare: Where its view has the other checkpoints, by the names of their objects.
    """

    needed: frozenset[str]
    spare: dict[str, str]


def lean_run(run: RunRecords) -> LeanRun | None:
    """Return which checkpoints a run needs; None if it keeps all of them.

    It needs those that its ensembles predicted with, on a batch or on test sets, those that are
    evaluated and retrained, and until the run is over also those that an ensemble of a later
    batch may have: all after the fraction of epochs that its config leaves out. Of versions of
    its models the same holds, as a later round starts from an earlier one after a rollback.

    Raises:
        InputError: If its records cannot be understood.
    """
    if run.config.get("keep_checkpoints") != "ensemble":
        return None
    needed = _needed(run)
    view = run.files.view
    spare = {
        name_of(checkpoint): view.checkpoint(record.checkpoints_of, checkpoint.epoch)
        for record in run.rounds
        for checkpoint in record.new_checkpoints
        if name_of(checkpoint) not in needed
    }
    return LeanRun(needed=needed, spare=spare)


def _needed(run: RunRecords) -> frozenset[str]:
    inference = run.looking.inference
    records: tuple[RoundRecord, ...] = run.rounds
    needed = {c for record in records for c in inference.looking(record.standing.checkpoints)}
    needed |= {record.standing.current for record in records}
    if run.outcome.state != "completed" or run.goes_on_for_ever:
        last = {record.method: record.standing for record in records}
        needed |= {c for standing in last.values() for c in _later(standing, inference)}
    return frozenset(map(name_of, needed | _of_versions(run, inference)))


def _of_versions(run: RunRecords, inference: Inference) -> set[Checkpoint]:
    registry = RegistryFiles(run.files)
    cards, champions = read_cards(registry), history_of(read_log(registry)).champions
    needed = {c for card in cards.values() for c in inference.looking(card.checkpoints)}
    needed |= {card.current for card in cards.values()}
    return needed | {c for each in champions for c in _later(cards[each], inference)}


def _later(standing: Standing | Card, inference: Inference) -> list[Checkpoint]:
    """Return the checkpoints that can still be chosen: the epoch of the first only rises."""
    first = inference.first_epoch_fraction * standing.current.epoch
    return [c for c in standing.checkpoints if c.epoch >= first]


def name_of(checkpoint: Checkpoint) -> str:
    """Return the name of the object that a checkpoint is stored as."""
    return checkpoint.artifact.uri.rpartition("/")[2]
