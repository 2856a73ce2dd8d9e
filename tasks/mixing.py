"""Stages that mix new labelled images with old ones."""

from __future__ import annotations

from prefect import get_run_logger

from backhaul.learn.mixing import all_for_training, merge, mix
from backhaul.learn.settings import Mixing
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet, concat
from backhaul.values.splits import Splits
from tasks.stage import Step, stage


@stage("mixing", random=True)
def mix_splits(
    new: Artifact,
    seen: Artifact,
    mixing: Mixing,
    *,
    step: Step,
) -> Artifact:
    """Store the `Splits` to retrain on: the new images and a random draw of the old ones.

    Args:
        new: The new images of this round (`Splits`).
        seen: All images of earlier rounds (`Splits`).
        mixing: The proportion of new images.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    if mixing.retrain_new == "auto":
        raise ValueError("retrain_new: expected a number, which `settle_mixing` chooses")
    fresh, old = read_value(Splits, new), read_value(Splits, seen)
    mixed = mix(fresh, old, mixing.retrain_new, step.rng("mixing"))
    get_run_logger().info(
        "train on %d new and %d old images",
        len(fresh.train),
        len(mixed.train.originals()) - len(fresh.train),
    )
    return write_value(step.root, mixed)


@stage("seen", random=False)
def merge_seen(seen: Artifact, new: Artifact, augmented: Artifact, *, step: Step) -> Artifact:
    """Store the `Splits` of all images seen so far, with copies of new training images.

    Args:
        seen: All images of earlier rounds (`Splits`).
        new: The new images of this round (`Splits`).
        augmented: What was trained on this round, copies included (`Splits`).
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    old, fresh = read_value(Splits, seen), read_value(Splits, new)
    train = read_value(Splits, augmented).train
    copies = train.where(train.table["copy_of"].isin(fresh.train.ids).to_numpy())
    with_copies = Splits(concat([fresh.train, copies]), fresh.valid, fresh.test)
    return write_value(step.root, merge(old, with_copies))


@stage("all-for-training", random=False)
def train_on_all(labelled: Artifact, *, step: Step) -> Artifact:
    """Store `Splits` in which all labelled images are trained on.

    Args:
        labelled: The images (`ImageSet`).
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    return write_value(step.root, all_for_training(read_value(ImageSet, labelled)))
