"""The vectors by which methods tell the images of a pool apart."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array, IntArray
from backhaul.values.detections import VectorNeed
from backhaul.values.offers import Pool


def vectors_of(pool: Pool, space: VectorNeed) -> tuple[Float32Array, Float32Array]:
    """Return vectors of a pool's images and of those sent before, shapes (n, d) and (m, d).

    Raises:
        ValueError: If the pool lacks them.
    """
    own = pool.features if space == "features" else pool.descriptors
    before = pool.sent_before
    known = before.features if space == "features" else before.descriptors
    if own is None:
        raise ValueError(f"expected a pool with {space}")
    return own, own[:0] if known is None else known.vectors


def seen_and_not(pool: Pool, space: VectorNeed) -> tuple[IntArray, IntArray]:
    """Return the rows of images with a vector that is not zero, and of the others."""
    own, _ = vectors_of(pool, space)
    seen = own.any(axis=1)
    return np.flatnonzero(seen), np.flatnonzero(~seen)
