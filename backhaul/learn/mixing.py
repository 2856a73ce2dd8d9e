"""Mix new labelled images with old ones in a fixed proportion."""

from __future__ import annotations

import numpy as np

from backhaul.values.images import ImageSet, concat
from backhaul.values.splits import Splits


def mix(new: Splits, old: Splits, retrain_new: float, rng: np.random.Generator) -> Splits:
    """Return the images of a retraining: the new ones, and old ones drawn for each subset.

    Originals are counted. In each subset n_old = round(n_new (1 - r) / r) old ones are drawn at
    random, fewer if there are too few; a subset without new images takes its old one whole, for
    every r. An old original brings its existing copies.

    Args:
        new: This round's images.
        old: Everything seen before, augmented copies included. Its order does not change which
            images are drawn.
        retrain_new: The fraction r of new images, in (0, 1].
        rng: The only source of randomness.

    Raises:
        ValueError: If `retrain_new` is out of range or an image is both new and old.
    """
    if not 0 < retrain_new <= 1:
        raise ValueError(f"retrain_new must be in (0, 1], got {retrain_new}")
    return Splits(
        train=_mix(new.train, old.train, retrain_new, rng),
        valid=_mix(new.valid, old.valid, retrain_new, rng),
        test=_mix(new.test, old.test, retrain_new, rng),
    )


def merge(old: Splits, new: Splits) -> Splits:
    """Return all new and old images, subset by subset, copies included.

    Raises:
        ValueError: If an image is both new and old, or would be in two subsets.
    """
    return Splits(
        train=concat([old.train, new.train]),
        valid=concat([old.valid, new.valid]),
        test=concat([old.test, new.test]),
    )


def all_for_training(images: ImageSet) -> Splits:
    """Return splits in which all labelled images are trained on, in the order of their ids.

    The order in which they were chosen says nothing, so equal choices are equal splits.
    """
    ordered = images.take(sorted(images.ids))
    none = images.take(())
    return Splits(train=ordered, valid=none, test=none)


def _mix(
    new: ImageSet, old: ImageSet, retrain_new: float, rng: np.random.Generator
) -> ImageSet:
    n_new = len(new.originals())
    if n_new == 0:
        return concat([new, old])
    candidates = sorted(old.originals().ids)
    n_old = min(round(n_new * (1 - retrain_new) / retrain_new), len(candidates))
    drawn = {candidates[i] for i in rng.choice(len(candidates), size=n_old, replace=False)}
    is_drawn = old.table["image_id"].isin(drawn) | old.table["copy_of"].isin(drawn)
    return concat([new, old.where(is_drawn.to_numpy(dtype=bool))])
