"""A campaign that fits a data set and a machine, with the reason of each choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.proposal.choice import Choice
from backhaul.campaign.proposal.classes import class_warnings, flip_for
from backhaul.campaign.proposal.copies import images_per_class
from backhaul.campaign.proposal.effort import (
    AIM,
    BATCH_SIZE,
    CHECKPOINTS,
    ENOUGH_STEPS,
    RETRAIN_NEW,
    Workload,
    workload,
)
from backhaul.campaign.proposal.facts import Facts
from backhaul.campaign.proposal.fitting import Fitted, Measure, fit
from backhaul.campaign.proposal.imagesize import MOST_PX, OBJECT_PX, smallest_class
from backhaul.campaign.proposal.sets import (
    HOLDOUT,
    SENT_TRAIN,
    SENT_VALID,
    TRAIN,
    VALID,
    Sets,
    can_be_divided,
    sets_for,
)
from backhaul.data.settings import FolderData
from backhaul.errors import InputError

METHODS = ("diverse", "median-below-thresh", "true-random")
MINUTE_S = 60.0
BUSY = 1.5


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person said, and what is known before any image is looked at.

    Args:
        name: Name of the campaign.
        data: The data set, as it was read.
        seed: Seed of the campaign.
        minutes: How long it may take.
        cores: Processors of this machine.
        model: Detector: a name, or a checkpoint.
    """

    name: str
    data: FolderData
    seed: int
    minutes: float
    cores: int
    model: str

    @property
    def parallel(self) -> int:
        """Methods that run side by side."""
        return min(len(METHODS) + 1, self.cores)

    @property
    def threads(self) -> int:
        """CPU threads of one training."""
        return max(self.cores // self.parallel, 1)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A campaign that is proposed.

    Args:
        choices: Its fields that differ from the defaults or are worth a word.
        warnings: What a person should know.
        seconds: How long it takes, by forecast.
    """

    choices: tuple[Choice, ...]
    warnings: tuple[str, ...]
    seconds: float

    @property
    def config(self) -> CampaignConfig:
        """The campaign."""
        fields: dict[str, Any] = {}
        for choice in self.choices:
            part, _, last = choice.key.rpartition(".")
            (fields.setdefault(part, {}) if part else fields)[last] = choice.value
        return CampaignConfig.model_validate(fields)


def propose(facts: Facts, wish: Wish, measure: Measure, wanted: int = 0) -> Proposal:
    """Return a campaign for a data set.

    Args:
        facts: The data set.
        wish: What a person said, and what the machine is.
        measure: Says how fast trainings are.
        wanted: Images that the initial set should have at least, see `sets_for`.

    Raises:
        InputError: If there are too few labelled images or objects.
    """
    found, facts = facts, facts if can_be_divided(facts) else facts.without_groups()
    sets = sets_for(facts, wanted)
    smallest = smallest_class(facts)
    if smallest is None or smallest.side is None:
        raise InputError(f"{wish.data.root}: no image has a labelled object; expected some")
    target = images_per_class(facts, round(TRAIN * sets.initial))
    work = workload(facts, sets, target, len(METHODS) + 1, wish.parallel)
    fitted = fit(smallest.side, work, wish.minutes * MINUTE_S, measure)
    object_px = smallest.side * fitted.side_px
    choices = (
        *_about_place(wish, facts),
        *_about_sets(facts, sets),
        *_about_copies(facts, work, target),
        *_about_training(wish, work, fitted, f"{smallest.name} is {object_px:.0f} px then"),
        *_about_looking(),
    )
    warnings = (
        *_group_warnings(found, facts),
        *class_warnings(facts, sets),
        *_doubts(wish, fitted, smallest.name, object_px),
    )
    return Proposal(choices, warnings, fitted.effort.seconds)


def _about_place(wish: Wish, facts: Facts) -> list[Choice]:
    return [
        Choice("name", wish.name, "as the folder; results come into runs/NAME"),
        Choice(
            "seed", wish.seed, "seeds: [0, 1, 2] in its place plays the campaign three times"
        ),
        Choice("parallel", wish.parallel, f"methods side by side, on {wish.cores} processors"),
        Choice("data.kind", "folder"),
        Choice("data.root", wish.data.root, "absolute, so that this file may be moved"),
        Choice("data.format", wish.data.format, "how its labels are written"),
        *_about_names(wish.data),
        _about_groups(facts),
    ]


def _about_names(data: FolderData) -> list[Choice]:
    return [] if data.names is None else [Choice("data.names", str(data.names), "as asked")]


def _about_groups(facts: Facts) -> Choice:
    if not facts.grouped:
        return Choice("data.groups", None, "each image for itself")
    return Choice(
        "data.groups",
        "auto",
        f"copies, frames of a video and images that look alike: {facts.n_labelled} images in "
        f"{facts.n_units} groups, of which none is divided",
    )


def _group_warnings(found: Facts, used: Facts) -> list[str]:
    if found.grouped == used.grouped:
        return []
    told = (
        f"the {found.n_labelled} images are so alike that they form {found.n_units} groups, "
        "too few to be split: what is tested with resembles what was trained with, so scores "
        "come out too high; images of more scenes would mend that"
    )
    return [told]


def _about_sets(facts: Facts, sets: Sets) -> list[Choice]:
    n = facts.n_labelled
    unused = f"; {sets.left} images are not used" if sets.left else ""
    few = "few, so that there is something to gain"
    if sets.initial > sets_for(facts).initial:
        few = "with fewer, a class would have no object to train on"
    return [
        Choice("initial.images", sets.initial, f"of {n} labelled: {few}"),
        Choice("initial.train", TRAIN),
        Choice("initial.valid", VALID, "the rest tests"),
        Choice(
            "batches.sampling_batch",
            sets.batch,
            f"{sets.batches} batches and one to measure with share the other images{unused}",
        ),
        Choice("batches.count", sets.batches, "more take longer, one round a method each"),
        Choice(
            "batches.holdout_batches",
            HOLDOUT,
            f"never sent: about {sets.test} images rank the methods",
        ),
        Choice("batches.train", SENT_TRAIN, "of the images that were sent"),
        Choice("batches.valid", SENT_VALID),
        Choice(
            "bandwidth.images",
            sets.sent,
            f"of {sets.batch} a batch: with more, all methods send the same",
        ),
        Choice(
            "methods",
            list(METHODS),
            "two that go by confidence alone, and chance, which none was shown to beat "
            "on real images",
        ),
    ]


def _about_copies(facts: Facts, work: Workload, target: int | None) -> list[Choice]:
    if target is None:
        return []
    flip, why = flip_for(tuple(each.name for each in facts.classes))
    return [
        Choice(
            "augmentation.images_per_class",
            target,
            f"copies: an epoch has about {work.first.train} images, not {work.originals}",
        ),
        Choice("augmentation.flip", flip, why),
    ]


def _about_training(wish: Wish, work: Workload, fitted: Fitted, size: str) -> list[Choice]:
    effort = fitted.effort
    per_image = f"{1000 * fitted.speed.seconds_per_image:.0f} ms an image, as measured"
    return [
        Choice(
            "training.model",
            wish.model,
            "small and quick" if wish.model == "yolo11n" else "as asked",
        ),
        Choice("training.img_size", fitted.side_px, f"a typical {size}"),
        Choice("training.batch_size", BATCH_SIZE, "small, for more steps with few images"),
        Choice(
            "training.max_epochs", effort.epochs, f"about {effort.steps} steps; {per_image}"
        ),
        Choice(
            "training.retrain_max_epochs",
            effort.retrain_epochs,
            f"about {effort.retrain_steps} steps, for each method and batch",
        ),
        Choice("training.threads", wish.threads, "of one training"),
        Choice("mixing.retrain_new", RETRAIN_NEW, "as many old images as new ones"),
    ]


def _about_looking() -> list[Choice]:
    return [
        Choice("inference.conf_check_num", CHECKPOINTS, "checkpoints look at each image"),
        Choice(
            "inference.first_epoch_fraction", 0.4, "the first epochs know too little to vote"
        ),
        Choice("inference.conf_thres", 0.1),
    ]


def _doubts(wish: Wish, fitted: Fitted, smallest: str, object_px: float) -> list[str]:
    """Return warnings about size, steps and time."""
    told = []
    effort, minutes = fitted.effort, fitted.needed_s / MINUTE_S
    if object_px < OBJECT_PX:
        why = "the largest side is" if fitted.side_px == MOST_PX else "the time allows"
        told.append(
            f"{smallest} is {object_px:.0f} px at {fitted.side_px} px, below the "
            f"{OBJECT_PX:.0f} px that a detector wants: {why} no more"
        )
    if effort.steps < ENOUGH_STEPS:
        told.append(
            f"{effort.steps} steps teach little: expected {ENOUGH_STEPS} or more; give it "
            f"--minutes {minutes / AIM:.0f}, or --model FILE.pt, a trained detector"
        )
    if effort.seconds > wish.minutes * MINUTE_S:
        told.append(
            f"it takes about {effort.seconds / MINUTE_S:.0f} minutes, more than the "
            f"{wish.minutes:g} that were asked for: fewer steps would teach nothing"
        )
    if fitted.speed.slowdown > BUSY:
        told.append(
            f"the machine is busy: all takes {fitted.speed.slowdown:.1f} times as long now"
        )
    return told
