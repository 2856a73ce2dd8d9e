"""What all arms of a study share that are compared with one seed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import Standing
from backhaul.data.recipes import SendOriginal
from backhaul.identity import content_digest
from backhaul.storage.addresses import absolute
from backhaul.storage.lease import lease
from backhaul.storage.objects import read_value
from backhaul.study.design import Cell, derived_seed, plan_of
from backhaul.study.folder import note_start
from backhaul.study.journal import Journal
from backhaul.study.needs import Needs
from backhaul.study.rows import Table
from backhaul.study.settings import StudyConfig
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet
from backhaul.values.results import TrainingResult
from blocks.opening import resolve
from flows.arguments import opened, step_of
from flows.events import emit_flow_run
from flows.initial_training import train_initial
from flows.leftovers import end_leftovers
from flows.preparation import prepare
from flows.slots import wait_or_give_way
from tasks.inference import infer
from tasks.stage import Step
from tasks.training import digest_of_model


@contextmanager
def begun(
    study: StudyConfig, folder: Path, sets: Collection[str], seeds: Collection[int]
) -> Iterator[tuple[Journal, Needs]]:
    """Hold a study for as long as it is added to, once its start is noted.

    Args:
        study: The study.
        folder: The folder of its table.
        sets: Sets that are added to; empty = all.
        seeds: Seeds that are added to; empty = all.

    Yields:
        What is known and missing of these sets and seeds, and what the store must keep.
    """
    emit_flow_run()
    end_leftovers()
    store = absolute(resolve(study.store))
    with lease(store, f"study={study.name}", wait_or_give_way("this study")):
        software = note_start(folder, study)
        table = Table(folder)
        plan = plan_of(study, table.rows())
        needs = Needs(store, study.name, len(plan.missing))
        yield Journal(study, table, plan.limited(sets, seeds), software), needs


class Shared:
    """What all arms share that are compared with a seed: initial model, pool, and test set.

    Args:
        study: The study.
        name: Name of the set.
        seed: The seed.
    """

    def __init__(self, study: StudyConfig, name: str, seed: int) -> None:
        self.study = study
        self.campaign = opened(study.campaign(name, seed))
        self.setting, _, self.splits = prepare(self.campaign)
        self.pool = self.setting.batches[0]
        pool = read_value(ImageSet, self.pool).table
        self.n_images, self.n_bytes = len(pool), int(pool["size_bytes"].sum())

    @classmethod
    def of(cls, journal: Journal, name: str, seed: int) -> Shared:
        """Return what is shared of a seed whose data are those of its rows.

        Raises:
            InputError: If they are not.
        """
        shared = cls(journal.study, name, seed)
        journal.require_data(name, seed, shared.data)
        return shared

    @cached_property
    def data(self) -> str:
        """Digest of all that was read."""
        read = (self.setting.dataset, self.splits, self.pool, self.setting.common)
        given = [each.artifact for each in self.setting.start]
        digests = [each.content_digest for each in (*read, *given)]
        return content_digest([*digests, digest_of_model(self.campaign.training)])

    @cached_property
    def began(self) -> tuple[TrainingResult | None, Standing]:
        """The initial training, if there was one, and what all arms start from."""
        step = step_of(self.campaign)
        return train_initial(self.campaign, self.setting, self.splits, step)

    @property
    def start(self) -> Standing:
        """What all arms start from."""
        return self.began[1]

    @cached_property
    def seen(self) -> Artifact:
        """What the ensemble sees in the pool, with all that any of the methods needs."""
        needs = sorted({need for arm in self.study.methods.values() for need in arm.needs})
        campaign = self.campaign
        return infer(
            self.pool,
            campaign.inference.looking(self.start.checkpoints),
            campaign.inference,
            campaign.training.img_size,
            needs=tuple(needs),
            step=step_of(campaign),
        )

    def sending(self, cell: Cell) -> CampaignConfig:
        """Return the campaign with the recipe of a cell, by which its images are sent."""
        sending = self.study.recipes_of(cell.set).get(cell.recipe, SendOriginal())
        return self.campaign.model_copy(update={"sending": sending})

    def step(self, cell: Cell, word: str = "", number: int = 0) -> Step:
        """Return the step of a cell's stages; with a word, that of a draw or retraining."""
        step = step_of(self.campaign, cell.arm, 0)
        if not word:
            return step
        return step.model_copy(update={"seed": derived_seed(step.seed, word, number)})
