"""Initial set, batches and held-out images in order of capture, not drawn at random."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import IntArray
from backhaul.data.settings import Batches
from backhaul.data.split import Arrivals, units, windows
from backhaul.data.stems import stems
from backhaul.data.streams.names import STREAM_PARTS, StreamPart, moment_of
from backhaul.errors import InputError
from backhaul.naturalorder import natural
from backhaul.values.images import ImageSet, concat


def cut_in_order(
    images: ImageSet, n_initial: int, arriving: Batches
) -> tuple[ImageSet, Arrivals]:
    """Return the initial set and what arrives after it, cut out of images in order of capture.

    Images are in the order of their folders and names, numbers as numbers; a group is as early
    as its first image, and is never divided, so that sizes are as near as whole groups come.
    The first images are the initial set, the last are held out, and `arriving.gap` images
    beside each are in no batch, so that what is trained on is not a moment away from what is
    measured with.

    Args:
        images: All images that can be labelled. Their order does not matter.
        n_initial: Images of the initial set; 0 if it is not of these.
        arriving: Size and number of the batches, and the gap.

    Raises:
        InputError: If there are too few images, or one of the initial set has no labels.
    """
    order, ends = _in_order(images)
    n_held_out = arriving.holdout_batches * arriving.sampling_batch

    def near(n_images: int) -> int:
        return int(ends[np.argmin(np.abs(ends - n_images))])

    first = near(n_initial)
    start = near(first + arriving.gap) if first else 0
    last = near(len(images) - n_held_out)
    until = near(last - arriving.gap) if n_held_out else last
    if not first <= start < until <= last:
        raise InputError(
            f"batches: of {len(images)} images in order of capture, none is left between "
            f"{n_initial} initial and {n_held_out} held-out ones with gaps of {arriving.gap}"
        )
    cuts = [0, first, start, until, last, len(images)]
    rows = [order[cuts[i] : cuts[i + 1]] for i in range(len(cuts) - 1)]
    initial, after, pool, before, held_out = (images.at(each) for each in rows)
    if unlabelled := len(initial) - len(initial.labelled()):
        raise InputError(
            f"initial.images: in order of capture the first {first} images are initial, and "
            f"{unlabelled} of them have no labels"
        )
    return initial, windows(pool, held_out, arriving, unused=concat([after, before]))


def parts_of_stream(images: ImageSet) -> dict[StreamPart, ImageSet]:
    """Return the parts of a stream, each in order of capture; other images are in none.

    Args:
        images: Frames with the names that `backhaul.data.streams.names` gives.
    """
    moments = [moment_of(uri) for uri in images.table["uri"]]
    known = sorted((each, row) for row, each in enumerate(moments) if each is not None)
    rows: dict[int, list[int]] = {part: [] for part in range(len(STREAM_PARTS))}
    for moment, row in known:
        rows[moment.part].append(row)
    return {
        name: images.at(np.array(rows[part], dtype=np.int64))
        for part, name in enumerate(STREAM_PARTS)
    }


def _in_order(images: ImageSet) -> tuple[IntArray, IntArray]:
    """Return the rows of the images in order of capture, and where groups end, from 0 on."""
    uris = list(images.table["uri"])
    names = [natural(stem.original) for stem in stems(uris)]
    rows = sorted(range(len(uris)), key=lambda row: (names[row], uris[row]))
    by_name = np.array(rows, dtype=np.int64)
    of_image = units(images)[by_name]
    _, first = np.unique(of_image, return_index=True)
    place = first[of_image]
    ends = np.cumsum(np.unique(place, return_counts=True)[1])
    return by_name[np.argsort(place, kind="stable")], np.concatenate([[0], ends])
