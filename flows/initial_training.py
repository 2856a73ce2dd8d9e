"""Train the detector that every method starts from."""

from __future__ import annotations

from prefect import flow

from backhaul.artifacts import Artifact
from backhaul.config import CampaignConfig
from backhaul.detector.checkpoint import Checkpoint
from flows.arguments import ensemble, known_truth, step_of
from tasks.augmentation import augment
from tasks.evaluation import TestSets, evaluate
from tasks.inference import infer
from tasks.records import INITIAL, RoundRecord, Standing
from tasks.setting import Setting
from tasks.stages import Step, timed
from tasks.training import TrainingResult, digest_of_model, train_detector


@flow(name="initial-training")
def initial_training(config: CampaignConfig, setting: Setting, splits: Artifact) -> RoundRecord:
    """Augment, train, evaluate, and look at the first batch, which all methods share.

    Where the campaign starts from a checkpoint, that one stands for the training.
    """
    step = step_of(config)
    with timed() as timings:
        augmented = augment(splits, splits, config.augmentation, step=step)
        training = None if setting.start else _train(config, augmented, step)
        kept = _carried_on(config, training, setting)
        standing = Standing(seen=augmented, checkpoints=kept, current=kept[-1])
        looking = ensemble(kept, config)
        first = setting.batches[0]
        infer(first, looking, config.inference, config.training.img_size, step=step)
        sets = TestSets(
            images={"common": setting.common, "old_test": setting.old_test},
            next_batch=known_truth(first, config, setting.dataset, step),
        )
        evaluation = evaluate(
            standing.current,
            looking,
            sets,
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


def _train(config: CampaignConfig, splits: Artifact, step: Step) -> TrainingResult:
    return train_detector(
        splits,
        None,
        config.training.of_one_run,
        config.stopping,
        epochs=config.training.max_epochs,
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
