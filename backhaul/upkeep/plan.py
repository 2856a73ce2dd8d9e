"""Estimated cost of a campaign: trainings, time, bytes sent, disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord
from backhaul.sampling import Method
from backhaul.storage.addresses import is_local
from backhaul.upkeep.experience import TRAINING, Experience
from backhaul.upkeep.forecast import (
    ExpectedTraining,
    Images,
    bytes_a_batch,
    first_training,
    retraining,
    sent_a_batch,
    trials,
)
from backhaul.upkeep.link import LinkPlan, link_plan
from backhaul.values.results import LookedUp


class Plan(BaseModel):
    """Estimated cost of a campaign with one seed; unknown values are None.

    Args:
        name: Name of the run.
        methods: Labels of the methods and of the control arm.
        batches: Batches that each of them plays.
        batches_counted: Whether these were counted, and not estimated.
        rounds: Rounds of all methods, and the initial one.
        rounds_cached: Those of them whose every stage is cached.
        stages_cached: Stages that are cached, as far as that can be known.
        ends_at: Stages that are not cached, from which on nothing can be known.
        trainings: Trainings to run, at most.
        trainings_cached: Trainings that are cached.
        epochs: Epochs of the trainings to run, at most.
        trials: Short trainings to run, by which ``mixing.retrain_new: auto`` chooses, at most.
        trial_epochs: Epochs of those, at most.
        images_sent: Images that all methods send of all batches, at most.
        bytes_sent: Bytes of those, by the mean size of images.
        seconds: How long it will take, if no training stops early.
        seconds_from: Runs from which that is known.
        checkpoint_bytes: Disk for new checkpoints, at most.
        copy_bytes: Disk for new copies of images, at most.
        link: What the link of a node carries; None if there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    methods: tuple[str, ...]
    batches: int
    batches_counted: bool
    rounds: int
    rounds_cached: int
    stages_cached: int
    ends_at: tuple[str, ...]
    trainings: int
    trainings_cached: int
    epochs: int
    trials: int = 0
    trial_epochs: int = 0
    images_sent: int
    bytes_sent: int | None
    seconds: float | None
    seconds_from: tuple[str, ...]
    checkpoint_bytes: int | None
    copy_bytes: int | None
    link: LinkPlan | None = None


def plan(
    config: CampaignConfig,
    images: Images,
    rounds: Sequence[RoundRecord],
    stages: Sequence[LookedUp],
    experience: Experience | None,
) -> Plan:
    """Estimate the cost of a campaign.

    Args:
        config: The campaign, opened.
        images: What is known of its images.
        rounds: Its rounds that are cached.
        stages: Its stages that were looked up.
        experience: What earlier rounds took; None if there were none.
    """
    trained = sum(look.cached for look in stages if look.stage == TRAINING)
    first = None if trained else first_training(config, images)
    methods = _still_retraining(config, images, rounds, trained)
    later = [retraining(config, images, method) for method in methods]
    tried = [trial for method in methods for trial in trials(config, images, method)]
    coming = [*([] if first is None else [first]), *later]
    sent = [bytes_a_batch(config, images, arm) for arm in config.arms]
    return Plan(
        name=config.name,
        methods=tuple(arm.label for arm in config.arms),
        batches=images.batches,
        batches_counted=images.counted,
        rounds=1 + len(config.arms) * images.batches,
        rounds_cached=len(rounds),
        stages_cached=sum(look.cached for look in stages),
        ends_at=tuple(dict.fromkeys(look.stage for look in stages if not look.cached)),
        trainings=len(coming),
        trainings_cached=trained,
        epochs=sum(training.epochs for training in coming),
        trials=len(tried),
        trial_epochs=sum(trial.epochs for trial in tried),
        images_sent=images.batches
        * sum(sent_a_batch(config, images, arm) for arm in config.arms),
        bytes_sent=_times(images.batches, sent),
        seconds=None
        if experience is None
        else _seconds(config, first, later, tried, experience),
        seconds_from=() if experience is None else experience.runs,
        checkpoint_bytes=_checkpoint_bytes(config, coming, len(tried), experience),
        copy_bytes=_copy_bytes([*coming, *tried], images),
        link=link_plan(
            config.bandwidth,
            images.mean_bytes,
            None if experience is None else experience.checkpoint_bytes,
        ),
    )


def free_bytes(root: str) -> int | None:
    """Return the free bytes of the store's disk; None for a store on another machine."""
    if not is_local(root):
        return None
    folder = Path(root)
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _still_retraining(
    config: CampaignConfig, images: Images, rounds: Sequence[RoundRecord], trained: int
) -> list[Method]:
    """Return the method of each retraining to come, of rounds that are not cached."""
    done = {(record.method, record.batch) for record in rounds}
    coming = [
        arm
        for arm in config.arms
        for number in range(images.batches)
        if (arm.label, number) not in done
    ]
    first = config.start is None and trained > 0
    whole = sum(r.training is not None for r in rounds if r.batch is not None)
    half_done = max(trained - first - whole, 0)  # trained, but for example not evaluated
    return coming[half_done:]


def _times(batches: int, sent: Iterable[float | None]) -> int | None:
    known = list(sent)
    total = sum(each for each in known if each is not None)
    return None if None in known else round(batches * total)


def _seconds(
    config: CampaignConfig,
    first: ExpectedTraining | None,
    later: Sequence[ExpectedTraining],
    tried: Sequence[ExpectedTraining],
    experience: Experience,
) -> float:
    """Return how long the trainings take with all that belongs to their rounds.

    What belongs to a trial besides its epochs is that of its round: it is not known apart.
    """

    def took(training: ExpectedTraining) -> float:
        return training.looks * experience.seconds_per_image + experience.seconds_beside

    together = min(config.parallel, len(config.arms)) if config.execution == "local" else 1
    trying = sum(trial.looks for trial in tried) * experience.seconds_per_image
    side_by_side = sum(map(took, later)) + trying
    return (0.0 if first is None else took(first)) + side_by_side / together


def _checkpoint_bytes(
    config: CampaignConfig,
    coming: Sequence[ExpectedTraining],
    n_trials: int,
    experience: Experience | None,
) -> int | None:
    """Return the bytes of checkpoints: a trial keeps one, at its end."""
    if not coming:
        return 0
    if experience is None or experience.checkpoint_bytes is None:
        return None
    interval = config.training.checkpoint_interval
    count = sum(ceil(training.epochs / interval) for training in coming)
    return round((count + n_trials) * experience.checkpoint_bytes)


def _copy_bytes(coming: Sequence[ExpectedTraining], images: Images) -> int | None:
    copies = [training.copies for training in coming]
    if not any(copies) and None not in copies:
        return 0
    if None in copies or images.mean_bytes is None:
        return None
    return round(sum(each or 0 for each in copies) * images.mean_bytes)
