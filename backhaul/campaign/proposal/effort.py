"""Epochs of the trainings, from the steps that teach something and the time that is there."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import ceil

from backhaul.campaign.proposal.copies import training_images
from backhaul.campaign.proposal.facts import Facts
from backhaul.campaign.proposal.sets import SENT_TRAIN, SENT_VALID, TRAIN, VALID, Sets

BATCH_SIZE = 8
CHECKPOINTS = 3
RETRAIN_NEW = 0.5
ENOUGH_STEPS, LEAST_STEPS, MOST_STEPS = 250, 100, 1_500
RETRAINED = 0.6
"""Steps of a retraining, as a fraction of those of the initial training."""
LOOK = 0.3
"""Time to look at an image once, as a fraction of that to train with it."""
EPOCH_S, ROUND_S, START_S = 1.2, 6.0, 25.0
"""Seconds beside the work on images: of an epoch, a round, a campaign."""
AIM = 0.65
"""Part of the time that the forecast may take; the rest is for what it cannot know."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one round works through.

    Args:
        train: Images of an epoch, copies included.
        valid: Images that each epoch is validated with.
        looks: Images looked at beside the training, as often as they are.
    """

    train: int
    valid: int
    looks: int

    def epochs(self, steps: float) -> int:
        """Return the fewest epochs with as many steps."""
        return max(ceil(steps / ceil(self.train / BATCH_SIZE)), CHECKPOINTS)

    def seconds(self, epochs: int, seconds_per_image: float) -> float:
        """Return how long a round takes."""
        images = epochs * (self.train + LOOK * self.valid) + LOOK * self.looks
        return images * seconds_per_image + epochs * EPOCH_S + ROUND_S


@dataclass(frozen=True, slots=True)
class Effort:
    """The trainings of a campaign.

    Args:
        epochs: Of the initial training.
        retrain_epochs: Of a retraining.
        steps: Of the optimizer, in the initial training.
        retrain_steps: The same in a retraining.
        seconds: How long the campaign takes, by forecast.
    """

    epochs: int
    retrain_epochs: int
    steps: int
    retrain_steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Workload:
    """All that a campaign works through.

    Args:
        first: The initial training, its evaluation, and a look at the first batch.
        later: The round of one method with one batch.
        rounds: Rounds of all methods.
        parallel: Rounds that run side by side.
        originals: Images that the initial training has without copies.
    """

    first: Load
    later: Load
    rounds: int
    parallel: int
    originals: int

    def effort(self, steps: float, seconds_per_image: float) -> Effort:
        """Return the trainings, if the initial one has at least `steps` steps."""
        epochs = self.first.epochs(steps)
        again = self.later.epochs(RETRAINED * steps)
        later_s = self.later.seconds(again, seconds_per_image) * ceil(
            self.rounds / self.parallel
        )
        return Effort(
            epochs=epochs,
            retrain_epochs=again,
            steps=epochs * ceil(self.first.train / BATCH_SIZE),
            retrain_steps=again * ceil(self.later.train / BATCH_SIZE),
            seconds=START_S + self.first.seconds(epochs, seconds_per_image) + later_s,
        )

    def within(self, limit_s: float, seconds_per_image: float) -> Effort:
        """Return the trainings with most steps that take no longer than `limit_s`.

        They have between `LEAST_STEPS` and `MOST_STEPS`, also if that takes longer.
        """
        some = range(LEAST_STEPS, MOST_STEPS + 1, 10)
        fitting = bisect_right(
            some, limit_s, key=lambda steps: self.effort(steps, seconds_per_image).seconds
        )
        return self.effort(some[max(fitting - 1, 0)], seconds_per_image)


def workload(
    facts: Facts, sets: Sets, images_per_class: int | None, n_arms: int, parallel: int
) -> Workload:
    """Return what a campaign works through.

    Args:
        facts: The data set.
        sets: How many images go where.
        images_per_class: What `augmentation.images_per_class` says.
        n_arms: Methods, and the control arm.
        parallel: Rounds that run side by side.
    """
    first = max(round(TRAIN * sets.initial), 1)
    epoch = first if images_per_class is None else _copied(facts, first, images_per_class)
    new = max(round(SENT_TRAIN * sets.sent), 1)
    old = min(round(new * (1 - RETRAIN_NEW) / RETRAIN_NEW), first)
    mixed = new + round(old * epoch / first)
    if images_per_class is not None:
        mixed = max(mixed, _copied(facts, new + old, images_per_class))
    looks = (1 + CHECKPOINTS) * (sets.test + sets.batch) + CHECKPOINTS * sets.batch
    again = max(round(SENT_VALID * sets.sent), 1)
    return Workload(
        first=Load(epoch, max(round(VALID * sets.initial), 1), looks),
        later=Load(mixed, 2 * again, looks + CHECKPOINTS * sets.sent),
        rounds=n_arms * sets.batches,
        parallel=parallel,
        originals=first,
    )


def _copied(facts: Facts, originals: int, target: int) -> int:
    return max(training_images(facts, originals, target), originals)
