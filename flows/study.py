"""Compute what is missing of a study: seed by seed, several of them side by side."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, NamedTuple

import pandas as pd
from prefect import flow, get_run_logger

from backhaul.identity import content_digest
from backhaul.learn.settings import NoStopping
from backhaul.storage.objects import read_value
from backhaul.study.design import Cell, choice_digest
from backhaul.study.journal import Journal
from backhaul.study.needs import Needs
from backhaul.study.rows import Chosen, Row, Selected
from backhaul.study.settings import CEILING, INITIAL, StudyConfig
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import ImageSet
from backhaul.values.results import Sent, TrainingResult
from backhaul.values.selections import Selection
from backhaul.values.splits import Splits
from flows.arguments import label, step_of
from flows.forms import NO_FORM
from flows.healing import again_if_lost
from flows.parallel import side_by_side
from flows.sending import offer, truth_of
from flows.shared import Shared, begun
from tasks.augmentation import augment
from tasks.mixing import merge_seen, train_on_all
from tasks.sampling import select_images
from tasks.series import measure, measure_small, predict_part
from tasks.stage import timed
from tasks.training import digest_of_model, train_detector


@flow(name="study", flow_run_name="study-{config.name}")
def study(
    config: Annotated[StudyConfig, NO_FORM],
    folder: str,
    sets: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
) -> None:
    """Add the rows that are missing to the table of a study.

    Each is written as soon as it is known. What stages have computed comes from the store, and
    what rows say already is not computed, also if the store is empty. The first training that
    fails ends the study; another start goes on.

    Args:
        config: The study.
        folder: The folder of its table.
        sets: Sets to compute; empty = all.
        seeds: Seeds to compute; empty = all.

    Raises:
        InputError: If the input is wrong, or the data of a seed are not those of its rows.
    """
    with begun(config, Path(folder), sets, seeds) as (journal, needs):
        calls = {
            (name, seed): partial(again_if_lost, partial(_play, journal, needs, name, seed))
            for name, seed in journal.seeds
        }
        side_by_side(calls, config.parallel, lambda key, result: None)


def _play(journal: Journal, needs: Needs, name: str, seed: int) -> None:
    """Compute the rows that are missing of a set and a seed."""
    with timed() as used:
        shared = Shared.of(journal, name, seed)
        for cell, digest in journal.missing_of(name, seed).items():
            told = journal.add(cell, _row(journal, shared, cell, digest))
            needs.note(timing.key for timing in used)
            get_run_logger().info("%s", told)


def _row(journal: Journal, shared: Shared, cell: Cell, digest: str) -> Row:
    """Choose, label, retrain from the initial model, and test; most of it may be cached."""
    choice = choose(journal, shared, cell)
    began = time.monotonic()
    training, model = _train(shared, cell, choice.labelled)
    scores = _test(shared, cell, model)
    return Row(
        set=cell.set,
        seed=cell.seed,
        role=journal.study.seeds.role(cell.seed),
        arm=cell.arm,
        draw=cell.draw,
        budget=cell.budget_name,
        training_seed=cell.training_seed,
        n_images=choice.n_images,
        n_bytes=choice.n_bytes,
        n_train=0 if training is None else training.n_train,
        epochs=0 if training is None else training.epochs,
        map50=scores.map50,
        map50_95=scores.map50_95,
        seconds=round(time.monotonic() - began, 2),
        inputs=digest,
        selection=choice.selection,
        data=shared.data,
        start=shared.start.current.artifact.content_digest,
        software=journal.software,
        recipe=cell.recipe,
        map50_small=scores.map50_small,
    )


class Choice(NamedTuple):
    """What is chosen of the pool, and what of it is trained on beside the initial set.

    Args:
        images: The images as they were captured, without labels.
        labelled: What was sent of them, with labels.
        n_images: How many images were chosen.
        n_bytes: Their cost.
        selection: Digest of the choice.
    """

    images: Artifact | None = None
    labelled: Artifact | None = None
    n_images: int = 0
    n_bytes: int = 0
    selection: str = ""


def choose(journal: Journal, shared: Shared, cell: Cell) -> Choice:
    """Return what an arm chooses of the pool, once that is noted; references have no choice."""
    if cell.arm == CEILING:
        whole = label(shared.pool, shared.campaign, shared.setting.dataset, shared.step(cell))
        return Choice(shared.pool, whole, shared.n_images, shared.n_bytes)
    if cell.budget is None:
        return Choice()
    campaign = shared.sending(cell)
    sent = select_images(
        offer(campaign, shared.pool, shared.seen, step_of(campaign)),
        shared.seen,
        shared.study.methods[cell.arm],
        cell.budget.of_pool(shared.n_bytes),
        step=shared.step(cell, "draw", cell.draw),
    )
    images = _chosen(sent)
    selected = Selected(
        inputs=choice_digest(journal.study, cell),
        set=cell.set,
        seed=cell.seed,
        arm=cell.arm,
        draw=cell.draw,
        budget=cell.budget_name,
        selection=content_digest(sorted(image.image_id for image in images)),
        images=images,
        recipe=cell.recipe,
    )
    journal.table.note_selection(selected)
    truth = truth_of(sent, campaign, shared.setting.dataset, shared.step(cell))
    labelled = label(sent.as_sent, campaign, truth, shared.step(cell))
    return Choice(sent.chosen, labelled, sent.n_images, sent.n_bytes, selected.selection)


def _chosen(sent: Sent) -> tuple[Chosen, ...]:
    selection = read_value(Selection, sent.selection)
    uris = read_value(ImageSet, sent.chosen).table["uri"].tolist()
    columns = selection.image_id, selection.size_bytes, selection.weight, selection.reason
    return tuple(
        Chosen(
            name=PurePath(uri).name,
            image_id=image_id,
            size_bytes=size,
            weight=weight if math.isfinite(weight) else None,
            reason=reason,
        )
        for uri, image_id, size, weight, reason in zip(
            uris, *(column.tolist() for column in columns), strict=True
        )
    )


def _train(
    shared: Shared, cell: Cell, labelled: Artifact | None
) -> tuple[TrainingResult | None, Checkpoint]:
    """Return the training of a cell, None for a given initial model, and the model."""
    if cell.arm == INITIAL:
        return shared.began[0], shared.start.current
    training = _retrain(shared, cell, labelled)
    return training, training.checkpoints[-1]


def _retrain(shared: Shared, cell: Cell, labelled: Artifact | None) -> TrainingResult:
    """Train the initial model on the initial set and what was sent, for the planned steps."""
    campaign, step, splits = shared.campaign, shared.step(cell), shared.start.seen
    if labelled is not None:
        new = train_on_all(labelled, step=step)
        joined = merge_seen(splits, new, new, step=step)
        splits = augment(joined, new, campaign.augmentation, step=step)
    epochs = campaign.training.retrain_epochs(len(read_value(Splits, splits).train))
    last_alone = {"checkpoint_interval": epochs, "evaluation_interval": epochs}
    assert cell.training_seed is not None  # noqa: S101 - as every retraining has
    return train_detector(
        splits,
        shared.start.current,
        campaign.training.of_one_run.model_copy(update=last_alone),
        NoStopping(),
        epochs=epochs,
        model_digest=digest_of_model(campaign.training),
        step=shared.step(cell, "training", cell.training_seed),
    )


class Scores(NamedTuple):
    """What a model reaches on the test set, also on small objects; None without any truth."""

    map50: float | None
    map50_95: float | None
    map50_small: float | None


def _test(shared: Shared, cell: Cell, model: Checkpoint) -> Scores:
    campaign, step, common = shared.campaign, shared.step(cell), shared.setting.common
    found = predict_part(
        common,
        model,
        campaign.inference,
        campaign.evaluation.conf_floor,
        campaign.training.img_size,
        step=step,
    )
    measured = measure(
        (model,),
        (found,),
        {"common": (common,)},
        campaign.inference,
        campaign.evaluation,
        step=step,
    )
    small = measure_small(found, common, campaign.evaluation, step=step)
    return Scores(
        _overall(measured.table, "mAP50"),
        _overall(measured.table, "mAP50-95"),
        _overall(small, "mAP50"),
    )


def _overall(table: Artifact, score: str) -> float | None:
    """Return a score over all classes; None where it is not defined."""
    rows = read_value(pd.DataFrame, table)
    value = float(rows.loc[rows["class"] == "", score].iloc[0])
    return value if math.isfinite(value) else None
