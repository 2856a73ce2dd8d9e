"""Which images of a data set are initial, and which arrive when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backhaul.data.settings import Batches, InitialSet, Labelling
from backhaul.data.split import Arrivals, batches, draw_initial, leave_out_seen
from backhaul.errors import InputError
from backhaul.values.images import ImageSet, concat


@dataclass(frozen=True, slots=True)
class Drawn:
    """A data set as it is played.

    Args:
        first: The initial set.
        arrivals: What arrives, in batches.
        unused: Images of the initial set's own data that were not drawn; empty without such.
    """

    first: ImageSet
    arrivals: Arrivals
    unused: ImageSet


def join(arriving: ImageSet, own: ImageSet) -> tuple[ImageSet, tuple[str, ...]]:
    """Return the labelled images of the initial set's own data and the new ones of `arriving`.

    Args:
        arriving: The data set.
        own: Data from which alone the initial set is drawn.

    Returns:
        All images, and the ids of those of `arriving` that are in both.

    Raises:
        InputError: If their classes differ, or `own` has no labels.
    """
    if own.class_names != arriving.class_names:
        raise InputError(
            f"initial.data: its classes are {', '.join(own.class_names)}; expected those of "
            f"data, in the same order: {', '.join(arriving.class_names)}"
        )
    first = labelled(own)
    rest, repeated = leave_out_seen(arriving, first)
    return concat([first, rest]), repeated


def labelled(own: ImageSet) -> ImageSet:
    """Return the labelled images of the initial set's own data.

    Raises:
        InputError: If there are none.
    """
    first = own.labelled()
    if not len(first):
        raise InputError("initial.data: none of its images has labels")
    return first


def playable(images: ImageSet, labelling: Labelling) -> ImageSet:
    """Return the images that can be labelled: all if a function labels, else the labelled."""
    return images if labelling.source != "existing" else images.labelled()


def draw_from(
    images: ImageSet, initial: InitialSet, rng: np.random.Generator
) -> tuple[ImageSet, ImageSet]:
    """Return the initial set and the other images, see `backhaul.data.split.draw_initial`."""
    return draw_initial(images, initial.images or len(images), rng)


def arrange(
    images: ImageSet,
    own: ImageSet | None,
    initial: InitialSet,
    arriving: Batches,
    rng: Callable[[str], np.random.Generator],
) -> Drawn:
    """Draw the initial set, the held-out images and all batches.

    Args:
        images: All images that can be labelled, those of `own` among them.
        own: Data from which alone the initial set is drawn; None = `images`.
        initial: Size of the initial set.
        arriving: Size and number of the batches.
        rng: Gives the source of randomness of "initial" and of "batches".

    Raises:
        InputError: If there are too few images.
    """
    if own is None:
        first, pool = draw_from(images, initial, rng("initial"))
        unused = images.take(())
    else:
        known = images.table["image_id"].isin(own.labelled().ids).to_numpy()
        first, unused = draw_from(images.where(known), initial, rng("initial"))
        pool = images.where(~known)
    groups = frozenset(first.table["group"].dropna())
    return Drawn(first, batches(pool, arriving, rng("batches"), groups), unused)
