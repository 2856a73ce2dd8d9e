"""A run whose checkpoints are evaluated again."""

from __future__ import annotations

from dataclasses import dataclass

from backhaul.analysis.series import Played, Schedule
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import LookingConfig, RunRecords
from backhaul.campaign.setting import Setting
from backhaul.code import UserCode
from backhaul.errors import InputError
from backhaul.identity import code_digest
from backhaul.layout import INITIAL, RunFiles


@dataclass(frozen=True)
class OwnCode:
    """What of the user's own the checkpoints of a run need, as the user says: never the store.

    Args:
        detector: The class that trained them; None = Ultralytics.
        trust: Whether code in them may be run.
    """

    detector: UserCode | None = None
    trust: bool = False


@dataclass(frozen=True)
class Subject:
    """The parts of a run that an analysis needs to evaluate its checkpoints.

    Args:
        files: Where its files lie.
        config: How its checkpoints predict on images.
        setting: Batches and test sets that all methods shared.
        records: The initial training, then the rounds, method after method, by batch.
        blocks: The addresses of its images that name blocks, by which their keys are found.
        own: What of the user's own its checkpoints need.
    """

    files: RunFiles
    config: LookingConfig
    setting: Setting
    records: tuple[RoundRecord, ...]
    blocks: tuple[str, ...]
    own: OwnCode = OwnCode()

    @property
    def rounds(self) -> tuple[Played, ...]:
        """The checkpoints after each round."""
        return tuple(
            Played(method=record.method, batch=record.batch, past=record.standing.checkpoints)
            for record in self.records
        )

    @property
    def schedule(self) -> Schedule:
        """What arrives in the campaign."""
        return Schedule(len(self.setting.batches), self.config.batches.holdout_batches)


def open_subject(
    files: RunFiles, methods: tuple[str, ...], own: OwnCode | None = None
) -> Subject:
    """Read a run with its initial training and the rounds of these methods.

    Args:
        files: Where its files lie.
        methods: Labels of the methods.
        own: What of the user's own its checkpoints need; None = nothing.

    Raises:
        InputError: If there is no run with rounds, or another detector trained it.
    """
    known = RunRecords(files)
    place = {label: i for i, label in enumerate((INITIAL, *methods))}
    found = [record for record in known.rounds if record.method in place]
    if not found or known.setting is None:
        raise InputError(
            f"{files.view.folder}: no rounds there yet: expected a trained initial model"
        )
    own = own or OwnCode()
    if any(c.detector != code_digest(own.detector) for r in found for c in r.new_checkpoints):
        raise InputError(
            f"{files.view.folder}: a detector of the user's own trained it, or another one: "
            "give the campaign's config (--config), with the detector as it was then"
        )
    return Subject(
        files=files,
        config=known.looking,
        setting=known.setting,
        records=tuple(sorted(found, key=lambda record: place[record.method])),
        blocks=known.beginning.blocks,
        own=own,
    )
