"""Which images of a data set are initial, and which arrive when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backhaul.data.inorder import cut_in_order, parts_of_stream
from backhaul.data.settings import Batches, InitialSet, Labelling
from backhaul.data.split import Arrivals, batches, draw_initial, leave_out_seen, windows
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
    """Draw the initial set, the held-out images and all batches, or cut them in order.

    Args:
        images: All images that can be labelled, those of `own` among them.
        own: Data from which alone the initial set is drawn; None = `images`.
        initial: Size of the initial set.
        arriving: Size, number and order of the batches.
        rng: Gives the source of randomness of "initial" and of "batches".

    Raises:
        InputError: If there are too few images.
    """
    apart, none = _apart(images, own, initial, rng), images.take(())
    if arriving.order == "capture":
        n_initial = 0 if apart else initial.images or 0
        start, arrivals = cut_in_order(apart.pool if apart else images, n_initial, arriving)
        return Drawn(apart.first if apart else start, arrivals, apart.unused if apart else none)
    first, pool, unused = apart or _Apart(*draw_from(images, initial, rng("initial")), none)
    groups = frozenset(first.table["group"].dropna())
    return Drawn(first, batches(pool, arriving, rng("batches"), groups), unused)


def arrange_stream(
    images: ImageSet,
    own: ImageSet | None,
    initial: InitialSet,
    arriving: Batches,
    rng: Callable[[str], np.random.Generator],
) -> Drawn:
    """Draw the initial set of a stream, and cut its batches in order of capture.

    The test part is held out, whatever `arriving.holdout_batches`.

    Args:
        images: All frames that can be labelled, and the images of `own`.
        own: Data from which alone the initial set is drawn; None = the stream's initial part.
        initial: Size of the initial set.
        arriving: Size and number of the batches.
        rng: Gives the source of randomness of "initial".

    Raises:
        InputError: If there are too few images.
    """
    apart = _apart(images, own, initial, rng)
    parts = parts_of_stream(images if apart is None else apart.pool)
    if apart is None:
        first, unused = draw_from(parts["initial"], initial, rng("initial"))
    else:
        first, unused = apart.first, concat([apart.unused, parts["initial"]])
    return Drawn(first, windows(parts["stream"], parts["test"], arriving), unused)


class _Apart(NamedTuple):
    """An initial set, images that arrive, and those of the initial set's data left over."""

    first: ImageSet
    pool: ImageSet
    unused: ImageSet


def _apart(
    images: ImageSet,
    own: ImageSet | None,
    initial: InitialSet,
    rng: Callable[[str], np.random.Generator],
) -> _Apart | None:
    """Return an initial set that is drawn from data of its own, or None without such data."""
    if own is None:
        return None
    known = images.table["image_id"].isin(own.labelled().ids).to_numpy()
    first, unused = draw_from(images.where(known), initial, rng("initial"))
    return _Apart(first, images.where(~known), unused)
