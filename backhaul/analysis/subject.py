"""A run whose checkpoints are evaluated again."""

from __future__ import annotations

from dataclasses import dataclass

from backhaul.analysis.series import Played, Schedule
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import LookingConfig, RunRecords
from backhaul.campaign.setting import Setting
from backhaul.errors import InputError
from backhaul.layout import INITIAL, RunFiles


@dataclass(frozen=True)
class Subject:
    """The parts of a run that an analysis needs to evaluate its checkpoints.

    Args:
        files: Where its files lie.
        config: How its checkpoints predict on images.
        setting: Batches and test sets that all methods shared.
        records: The initial training, then the rounds, method after method, by batch.
        blocks: The addresses of its images that name blocks, by which their keys are found.
    """

    files: RunFiles
    config: LookingConfig
    setting: Setting
    records: tuple[RoundRecord, ...]
    blocks: tuple[str, ...]

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


def open_subject(files: RunFiles, methods: tuple[str, ...]) -> Subject:
    """Read a run with its initial training and the rounds of these methods.

    Args:
        files: Where its files lie.
        methods: Labels of the methods.

    Raises:
        InputError: If there is no run with rounds.
    """
    known = RunRecords(files)
    place = {label: i for i, label in enumerate((INITIAL, *methods))}
    found = [record for record in known.rounds if record.method in place]
    if not found or known.setting is None:
        raise InputError(
            f"{files.view.folder}: no rounds there yet: expected a trained initial model"
        )
    return Subject(
        files=files,
        config=known.looking,
        setting=known.setting,
        records=tuple(sorted(found, key=lambda record: place[record.method])),
        blocks=known.beginning.blocks,
    )
