"""Settle how many new images a retraining has, where the config leaves that open."""

from __future__ import annotations

import pandas as pd

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import Standing
from backhaul.learn.proportion import chosen_proportion
from backhaul.learn.settings import Mixing
from backhaul.storage.objects import read_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.splits import Splits
from tasks.augmentation import augment
from tasks.mixing import mix_splits
from tasks.proportion import compare_trials
from tasks.stage import Step
from tasks.training import digest_of_model, train_trial


def settle_mixing(
    new: Artifact, config: CampaignConfig, standing: Standing, step: Step
) -> tuple[Mixing, Artifact | None]:
    """Return how images are mixed, and the table of candidates; None if it was not chosen.

    Without new images to train on, old ones are taken whole, so there is nothing to choose.

    Args:
        new: The new images of this round (`Splits`).
        config: The campaign.
        standing: State of the method before the batch.
        step: The step that the stages run in.
    """
    mixing = config.mixing
    if mixing.retrain_new != "auto":
        return Mixing(retrain_new=mixing.retrain_new), None
    if not len(read_value(Splits, new).train):
        return Mixing(), None
    candidates = mixing.candidates
    table = compare_trials(
        tuple(_try(candidate, new, config, standing, step) for candidate in candidates),
        candidates,
        {"old": standing.seen, "new": new},
        config.inference,
        config.evaluation,
        config.training.img_size,
        step=step,
    )
    return Mixing(retrain_new=chosen_proportion(read_value(pd.DataFrame, table))), table


def _try(
    candidate: float, new: Artifact, config: CampaignConfig, standing: Standing, step: Step
) -> Checkpoint:
    """Return the model after a short training with this fraction of new images."""
    training = config.training
    mixed = mix_splits(new, standing.seen, Mixing(retrain_new=candidate), step=step)
    augmented = augment(mixed, new, config.augmentation, step=step)
    n_images = len(read_value(Splits, augmented).train)
    epochs = training.trial_epochs(n_images, config.mixing.trial_length)
    trial = train_trial(
        augmented,
        standing.current,
        training.of_trial(epochs),
        epochs=epochs,
        model_digest=digest_of_model(training),
        step=step,
    )
    return trial.checkpoints[-1]
