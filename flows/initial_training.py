"""Prepare what all methods share, and train the detector that each of them starts from."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from backhaul.campaign.claim import claim
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.outcome import RunOutcome
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import write_round
from backhaul.campaign.runrecords import BEGINNING, OUTCOME, SETTING, RunRecords, has_begun
from backhaul.campaign.setting import Beginning, Setting
from backhaul.campaign.view import write_crops, write_overview, write_round_files
from backhaul.data.settings import InboxData
from backhaul.errors import AwaitingLabelsError
from backhaul.events import RoundBegan, emit
from backhaul.layout import INITIAL, RunFiles
from backhaul.storage.objects import read_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import ImageSet
from backhaul.values.results import TrainingResult
from backhaul.values.splits import Splits
from flows.arguments import blocks_of, known_truth, opened, step_of
from flows.cropping import crop_batches
from flows.events import emit_plan, emit_round
from flows.forms import Config
from flows.healing import again_if_lost
from flows.leftovers import end_leftovers
from flows.preparation import prepare
from flows.server.publish import publish_round
from flows.slots import impatient
from flows.states import awaiting
from tasks.augmentation import augment
from tasks.evaluation import TestSets, evaluate
from tasks.inference import infer
from tasks.stage import Lookups, Step, is_thorough, thorough, timed
from tasks.training import digest_of_model, train_detector


@flow(name="initial-training", flow_run_name="initial-training-{config.name}")
def initial_training(config: Config, after_losses: bool = False) -> State[None]:
    """Arrange the data and train the initial model; both are kept with the run.

    Where the campaign starts from a checkpoint, that one stands for the training. Where labels
    of held-out images are not there yet, this ends Completed, named AwaitingLabels.

    Args:
        config: The campaign.
        after_losses: Look also whether all that cached tables name is there, and make anew what
            is not: objects of the store were lost.
    """
    with thorough() if after_losses else nullcontext():
        return _trained(config)


def _trained(config: CampaignConfig) -> State[None]:
    started, blocks = datetime.now(UTC), blocks_of(config)
    config = opened(config)
    end_leftovers()
    files = claim(config)
    if isinstance(config.data, InboxData) and has_begun(files) and not is_thorough():
        return Completed(message="trained before: batches that arrived since go on from it")
    try:
        first = again_if_lost(partial(_begin, config, files, started, blocks))
    except AwaitingLabelsError as error:
        return awaiting(f"held-out images: {error}")
    return Completed(message=f"epoch {first.standing.current.epoch}")


def _begin(
    config: CampaignConfig, files: RunFiles, started: datetime, blocks: tuple[str, ...]
) -> RoundRecord:
    """Arrange the data, train the initial model, and keep both; return its round."""
    emit(RoundBegan())
    with timed() as preparing:
        setting, arrangement, splits = prepare(config)
    emit_plan(config, range(len(setting.batches)))
    beginning = Beginning(
        started=started,
        arrangement=arrangement,
        class_names=read_value(ImageSet, arrangement.initial).class_names,
        timings=tuple(preparing),
        blocks=blocks,
    )
    BEGINNING.write(files.beginning, beginning)
    OUTCOME.write(files.outcome, RunOutcome())
    write_overview(RunRecords(files))
    with impatient():
        first = first_round(config, setting, splits)
    write_round(files, first)
    write_round_files(files.view, first)
    publish_round(files, first)
    emit_round(first)
    with timed() as cropping:
        setting = crop_batches(config, setting, first.standing)
    write_crops(files.view, setting)
    timings = (*preparing, *cropping)
    BEGINNING.write(files.beginning, beginning.model_copy(update={"timings": timings}))
    SETTING.write(files.setting, setting)
    return first


def first_round(
    config: CampaignConfig,
    setting: Setting,
    splits: Artifact,
    lookups: Lookups | None = None,
) -> RoundRecord:
    """Augment, train, evaluate, and look at the first batch, which all methods share.

    Args:
        config: The campaign.
        setting: What all methods are put through.
        splits: The initial splits.
        lookups: If given, stages are looked up, and none is run.
    """
    step = step_of(config, lookups=lookups)
    with timed() as timings:
        training, standing = train_initial(config, setting, splits, step)
        looking = config.inference.looking(standing.checkpoints)
        for images in setting.batches[:1]:
            infer(images, looking, config.inference, config.training.img_size, step=step)
        evaluation = evaluate(
            standing.current,
            looking,
            _test_sets(config, setting, step),
            config.inference,
            config.evaluation,
            img_size=config.training.img_size,
            step=step,
        )
    return RoundRecord(
        method=INITIAL,
        batch=None,
        new=splits,
        training=training,
        evaluation=evaluation,
        standing=standing,
        timings=tuple(timings),
    )


def train_initial(
    config: CampaignConfig, setting: Setting, splits: Artifact, step: Step
) -> tuple[TrainingResult | None, Standing]:
    """Augment the initial set and train on it; return that, and what all methods begin with.

    Args:
        config: The campaign.
        setting: What all methods are put through.
        splits: The initial splits.
        step: The step that the stages run in.

    Returns:
        The training, None where the campaign starts from a checkpoint, and the standing.
    """
    augmented = augment(splits, splits, config.augmentation, step=step)
    training = None if setting.start else _train(config, augmented, step)
    kept = _carried_on(config, training, setting)
    return training, Standing(seen=augmented, checkpoints=kept, current=kept[-1])


def _test_sets(config: CampaignConfig, setting: Setting, step: Step) -> TestSets:
    images = {"common": setting.common, "old_test": setting.old_test}
    if not setting.batches:
        return TestSets(images=images)
    arriving = known_truth(setting.batches[0], config, setting.dataset, step)
    return TestSets(images=images, next_batch=arriving)


def _train(config: CampaignConfig, splits: Artifact, step: Step) -> TrainingResult:
    return train_detector(
        splits,
        None,
        config.training.of_one_run,
        config.stopping,
        epochs=config.training.initial_epochs(len(read_value(Splits, splits).train)),
        model_digest=digest_of_model(config.training),
        step=step,
    )


def _carried_on(
    config: CampaignConfig, training: TrainingResult | None, setting: Setting
) -> tuple[Checkpoint, ...]:
    """Return the checkpoints that all methods begin with, oldest first."""
    if training is None:
        return setting.start
    current = training.epoch(config.training.retrain_from)
    return tuple(c for c in training.checkpoints if c.epoch <= current)
