"""Detections of an ensemble in a pool, as arrays in an order independent of the input's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.values.columns import positions
from backhaul.values.offers import Pool

NONE = -1
"""The class of an image without any detection."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Detections in a pool, by class, then confidence, then image; images by name.

    An image without detections has one row, of class `NONE` and confidence 0. The order depends
    neither on that of the pool's images nor on that of its detections, so neither do sums and
    draws.

    Args:
        image_id: Names of the pool's images, sorted, n_images of them.
        size_bytes: Their sizes, shape (n_images,).
        image: Row of the image of each sighting, shape (n,).
        class_id: Predicted classes, ascending, shape (n,).
        confidence: Ascending within a class, shape (n,).
    """

    image_id: tuple[str, ...]
    size_bytes: IntArray
    image: IntArray
    class_id: IntArray
    confidence: FloatArray

    @property
    def undetected_fraction(self) -> float:
        """The fraction of the pool's images that are of class `NONE`; 0 for an empty pool."""
        return int(np.count_nonzero(self.class_id == NONE)) / max(len(self.image_id), 1)


def by_name(pool: Pool) -> IntArray:
    """Return the rows of the pool's images in the order of their names, shape (n_images,)."""
    return np.array(sorted(range(len(pool)), key=pool.image_id.__getitem__), dtype=np.int64)


def sightings_of(pool: Pool, *, include_undetected: bool) -> Sightings:
    """Return the sightings of `pool`, with or without its images that have no detection."""
    order = by_name(pool)
    image_id = tuple(pool.image_id[row] for row in order)
    found = pool.detections
    image = positions(found.image_id, image_id)
    seen = np.bincount(image, minlength=len(pool))
    missed = np.flatnonzero(seen == 0)[: None if include_undetected else 0]

    image = np.concatenate([missed, image])
    class_id = np.concatenate([np.full(missed.size, NONE), found.class_id])
    confidence = np.concatenate([np.zeros(missed.size), found.confidence])
    rows = np.lexsort((image, confidence, class_id))
    return Sightings(
        image_id, pool.size_bytes[order], image[rows], class_id[rows], confidence[rows]
    )
