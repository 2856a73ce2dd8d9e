"""Score all choices of a study before anything is trained on them."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
from prefect import flow

from backhaul.campaign.config import CampaignConfig
from backhaul.storage.objects import read_value
from backhaul.study.design import choice_digest
from backhaul.study.journal import Journal
from backhaul.study.needs import Needs
from backhaul.study.scores import SCORES
from backhaul.study.screening import Screened, add_screened, choices_of
from backhaul.study.settings import StudyConfig
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import Need
from flows.arguments import label, step_of
from flows.forms import NO_FORM
from flows.healing import again_if_lost
from flows.parallel import side_by_side
from flows.shared import Shared, begun
from flows.study import choose
from tasks.inference import infer
from tasks.screening import screen
from tasks.series import labelled_so_far
from tasks.stage import timed


@flow(name="screening", flow_run_name="screening-{config.name}")
def screening(
    config: Annotated[StudyConfig, NO_FORM],
    folder: str,
    sets: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
) -> None:
    """Let all arms choose, and write the scores of their choices; nothing is retrained.

    The initial model is trained where it is not in the store: arms choose by what it sees.

    Args:
        config: The study.
        folder: The folder of its table.
        sets: Sets to score; empty = all.
        seeds: Seeds to score; empty = all.

    Raises:
        InputError: If the input is wrong, or the data of a seed are not those of its rows.
    """
    with begun(config, Path(folder), sets, seeds) as (journal, needs):
        calls = {
            (name, seed): partial(again_if_lost, partial(_noted, journal, needs, name, seed))
            for name in sets or config.sets
            for seed in seeds or (*config.seeds.test, *config.seeds.choose)
        }
        side_by_side(calls, config.parallel, lambda key, new: add_screened(Path(folder), new))


def _noted(journal: Journal, needs: Needs, name: str, seed: int) -> tuple[Screened, ...]:
    """Return the scores of a set and a seed once it is noted what the study may use again."""
    with timed() as used:
        found = _screened(journal, name, seed)
    needs.note((timing.key for timing in used), n_trained=0)
    return found


def _screened(journal: Journal, name: str, seed: int) -> tuple[Screened, ...]:
    """Return the scores of all choices of the pool of a set and a seed."""
    shared = Shared.of(journal, name, seed)
    choices = {
        cell: choose(journal, shared, cell) for cell in choices_of(journal.study, name, seed)
    }
    campaign, setting = shared.campaign, shared.setting
    step = step_of(campaign)
    known = labelled_so_far(setting.dataset, (shared.start.seen,), step=step)
    scored = screen(
        label(shared.pool, campaign, setting.dataset, step),
        known,
        setting.common,
        tuple(_look(shared, images) for images in (shared.pool, known, setting.common)),
        tuple(each.images for each in choices.values() if each.images is not None),
        step=step,
    )
    found = read_value(pd.DataFrame, scored)
    return tuple(
        Screened(
            inputs=choice_digest(journal.study, cell),
            set=cell.set,
            seed=cell.seed,
            arm=cell.arm,
            draw=cell.draw,
            budget=cell.budget_name,
            n_images=choice.n_images,
            n_bytes=choice.n_bytes,
            **{
                n: None if math.isnan(found[n].iloc[row]) else found[n].iloc[row]
                for n in SCORES
            },
        )
        for row, (cell, choice) in enumerate(choices.items())
    )


def _look(shared: Shared, images: Artifact) -> Artifact:
    """Return what the last checkpoint of the initial model sees in images, with vectors."""
    campaign = shared.campaign
    return infer(
        images,
        (shared.start.current,),
        campaign.inference,
        campaign.training.img_size,
        needs=_needs(campaign),
        step=step_of(campaign),
    )


def _needs(campaign: CampaignConfig) -> tuple[Need, ...]:
    """Return the vectors that scores need, as far as the detector has them."""
    own = campaign.training.detector
    if own is None or hasattr(own.load(), "features"):
        return "descriptors", "features"
    return ("descriptors",)
