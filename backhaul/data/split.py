"""Divide labelled images into train, valid and test, and unlabelled ones into batches."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.data.settings import Batches, SplitFractions
from backhaul.data.stratification import apportion, stratify
from backhaul.errors import InputError
from backhaul.values.images import ImageSet, concat
from backhaul.values.labels import Labels
from backhaul.values.splits import Splits

Subset: TypeAlias = Literal["train", "valid", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "valid", "test")

NOWHERE: Mapping[str, Subset] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Batches and holdout of a pool; every image of the pool is in exactly one part.

    Args:
        holdout: Images that are never sampled, for the common test set.
        numbered: The batches that are sampled, all of the same size.
        leftover: What comes after the last numbered batch, or in a gap; written, never sampled.
    """

    holdout: ImageSet
    numbered: tuple[ImageSet, ...]
    leftover: ImageSet


def split(
    images: ImageSet,
    fractions: SplitFractions,
    rng: np.random.Generator,
    placed: Mapping[str, Subset] = NOWHERE,
    untrained: Collection[str] = (),
) -> Splits:
    """Split labelled images so that each class keeps its share in each subset.

    This is iterative stratification, in which "no object" is a class too. Without groups the
    sizes are exactly those of `apportion`; images of one group stay together, and the sizes are
    then as near as moving single groups brings them.

    Args:
        images: Labelled originals. Their order does not matter.
        fractions: Shares of train and valid; the rest is test.
        rng: The only source of randomness.
        placed: Where groups went in earlier rounds; their images follow them.
        untrained: Images that go to valid and test alone, in the proportion of these, wherever
            their groups are.

    Raises:
        InputError: If an image has no labels.
    """
    if unlabelled := len(images) - len(images.labelled()):
        raise InputError(f"split: {unlabelled} of {len(images)} images have no labels")
    images = _by_id(images)
    is_apart = images.table["image_id"].isin(untrained).to_numpy(dtype=bool)
    shares = np.array([fractions.train, fractions.valid, 1 - fractions.train - fractions.valid])
    parts = _divided(images.where(~is_apart), shares, rng, placed)
    if not is_apart.any():
        return parts
    apart = _divided(images.where(is_apart), shares * [0, 1, 1], rng, NOWHERE)
    return Splits(
        parts.train, concat([parts.valid, apart.valid]), concat([parts.test, apart.test])
    )


def _divided(
    images: ImageSet,
    shares: FloatArray,
    rng: np.random.Generator,
    placed: Mapping[str, Subset],
) -> Splits:
    """Return images, ordered by id, in subsets of these shares, shape (3,)."""
    rows = _rows(images)
    known = [placed.get(group) if group is not None else None for group in rows.group]
    subset = np.array(
        [-1 if name is None else SUBSETS.index(name) for name in known], dtype=np.int64
    )
    free = subset < 0
    taken = np.bincount(subset[~free], weights=rows.n_images[~free], minlength=len(SUBSETS))
    room = np.maximum(apportion(len(images), shares) - taken, 0.0)
    if free.any():
        capacity = apportion(int(rows.n_images[free].sum()), room)
        subset[free] = stratify(rows.labels[free], rows.n_images[free], capacity, rng)
    of_image = subset[rows.of_image]
    return Splits(*(images.where(of_image == i) for i in range(len(SUBSETS))))


def placement(seen: Splits) -> dict[str, Subset]:
    """Return the subset of each group, which is the `placed` of the next `split`."""
    parts: dict[Subset, ImageSet] = {
        "train": seen.train,
        "valid": seen.valid,
        "test": seen.test,
    }
    return {
        str(group): name
        for name, part in parts.items()
        for group in part.table["group"].dropna()
    }


def draw_initial(
    images: ImageSet, count: int, rng: np.random.Generator
) -> tuple[ImageSet, ImageSet]:
    """Draw the labelled set that the first detector is trained on, stratified by class.

    A group is never divided, so with groups the size is only as near to `count` as moving
    single groups brings it; a group with an unlabelled image stays in the pool.

    Args:
        images: Originals. Their order does not matter.
        count: Number of images to draw, at least 1.
        rng: The only source of randomness.

    Returns:
        The initial set and the pool, both ordered by image_id.

    Raises:
        InputError: If fewer than `count` images can be drawn.
    """
    images = _by_id(images)
    rows = _rows(images)
    unlabelled = images.table["labels"].isna().to_numpy()
    usable = np.bincount(rows.of_image, weights=unlabelled, minlength=len(rows.group)) == 0
    available = int(rows.n_images[usable].sum())
    if count > available:
        raise InputError(
            f"initial.images: expected at most {available}, the labelled images, got {count}"
        )
    drawn = np.zeros(len(rows.group), dtype=bool)
    capacity = np.array([count, available - count])
    drawn[usable] = stratify(rows.labels[usable], rows.n_images[usable], capacity, rng) == 0
    chosen = drawn[rows.of_image]
    return images.where(chosen), images.where(~chosen)


def batches(
    pool: ImageSet,
    arriving: Batches,
    rng: np.random.Generator,
    known_groups: Container[str] = (),
) -> Arrivals:
    """Divide the images of `pool` into a holdout and batches, at random, not stratified.

    The holdout is drawn first and in whole groups, since later images of its groups would leak
    its content into training: it has `holdout_batches` times `sampling_batch` images, with
    groups as near to that as a random order of the groups comes. Batches may share groups;
    `split` keeps those together over the rounds.

    Args:
        pool: Images to hand out. Their order does not matter.
        arriving: Size and number of the batches.
        rng: The only source of randomness.
        known_groups: Groups that are trained on already, and so are never held out.

    Raises:
        InputError: If the pool is too small for the holdout and the batches, at least one.
    """
    pool = _by_id(pool)
    rows = _rows(pool)
    free = np.array([group is None or group not in known_groups for group in rows.group], bool)
    wanted = arriving.holdout_batches * arriving.sampling_batch
    available = int(rows.n_images[free].sum())
    if wanted > available:
        raise InputError(
            f"batches.holdout_batches: {wanted} images are held out, the pool has {available}"
        )
    held_out = _draw_groups(rows, free, wanted, rng)
    order = rng.permutation(np.flatnonzero(~held_out))
    return windows(pool.at(order), pool.where(held_out), arriving)


def windows(
    pool: ImageSet, holdout: ImageSet, arriving: Batches, unused: ImageSet | None = None
) -> Arrivals:
    """Cut images into batches in the order that they are in.

    Args:
        pool: Images to hand out.
        holdout: Images that are never sampled, for the common test set.
        arriving: Size and number of the batches.
        unused: Images that join what is left over.

    Raises:
        InputError: If there are fewer images than one batch, or than `arriving.count` batches.
    """
    size = arriving.sampling_batch
    n_batches = arriving.count or max(len(pool) // size, 1)
    if n_batches * size > len(pool):
        raise InputError(
            f"batches: {n_batches} of {size} images wanted, {len(pool)} are left beside the "
            "holdout; lower batches.count, sampling_batch or holdout_batches"
        )
    rows = np.arange(len(pool))
    left = pool.at(rows[n_batches * size :])
    return Arrivals(
        holdout=holdout,
        numbered=tuple(pool.at(part) for part in rows[: n_batches * size].reshape(-1, size)),
        leftover=left if unused is None else concat([left, unused]),
    )


def units(images: ImageSet) -> IntArray:
    """Return the number of what is never divided: of each image's group, or of it alone."""
    return _rows(images).of_image


def leave_out_seen(pool: ImageSet, seen: ImageSet) -> tuple[ImageSet, tuple[str, ...]]:
    """Return the images of `pool` with new content, and the ids of the others.

    Raises:
        InputError: If an image was seen before with other labels.
    """
    known = pool.table["image_id"].isin(seen.table["image_id"]).to_numpy()
    repeated = pool.where(known)
    earlier = seen.take(repeated.ids)
    now: Any
    then: Any
    for now, then in zip(repeated.table.itertuples(), earlier.table.itertuples(), strict=True):
        both_known = isinstance(now.labels, Labels) and isinstance(then.labels, Labels)
        if both_known and not now.labels.same_as(then.labels):
            raise InputError(f"{now.uri}: the same image as {then.uri}, with other labels")
    return pool.where(~known), repeated.ids


def _by_id(images: ImageSet) -> ImageSet:
    return images.at(np.argsort(images.table["image_id"].to_numpy(dtype=str), kind="stable"))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The units that are never divided: the images of a group, or one image without group; n.

    ``group`` is the name or None; ``of_image`` the row of each image; ``labels`` the classes in
    it and, last, whether it has no object, shape (n, n_classes + 1); ``n_images`` its size.
    """

    group: tuple[str | None, ...]
    of_image: IntArray
    labels: BoolArray
    n_images: IntArray


def _rows(images: ImageSet) -> _Rows:
    group = images.table["group"]
    alone = group.isna().to_numpy()
    names = np.where(alone, "image " + images.table["image_id"], "group " + group.astype(str))
    of_image, _ = pd.factorize(names)
    by_row = np.argsort(of_image, kind="stable")
    n_images = np.bincount(of_image)
    firsts = np.cumsum(n_images) - n_images
    present = np.zeros((0, len(images.class_names)), dtype=bool)
    if len(images):
        present = np.logical_or.reduceat(images.presence()[by_row], firsts, axis=0)
    labels = np.column_stack([present, ~present.any(axis=1)])
    of_row = by_row[firsts]
    known = tuple(None if alone[i] else str(group.iloc[i]) for i in of_row)
    return _Rows(known, of_image.astype(np.int64), labels, n_images)


def _draw_groups(
    rows: _Rows, free: BoolArray, n_images: int, rng: np.random.Generator
) -> BoolArray:
    """Return which images are drawn: free groups, as near to `n_images` as a prefix comes."""
    order = rng.permutation(len(rows.group))
    order = order[free[order]]
    if n_images == 0:
        return np.zeros(len(rows.of_image), dtype=bool)
    ends = np.cumsum(rows.n_images[order])
    drawn = np.zeros(len(rows.group), dtype=bool)
    drawn[order[: int(np.argmin(np.abs(ends - n_images))) + 1]] = True
    return drawn[rows.of_image]
