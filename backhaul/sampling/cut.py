"""Reduce a given choice of images to the bandwidth."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import IntArray
from backhaul.sampling.interval import RandomSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import positions
from backhaul.values.offers import Pool


def cut_to(
    bandwidth: Bandwidth,
    pool: Pool,
    rows: IntArray,
    *,
    stratify: bool,
    rng: np.random.Generator,
) -> IntArray:
    """Return `rows` of the pool if all their images fit, else as many as fit, at random.

    If all fit, they keep their order. With `stratify`, each predicted class gets an equal share
    of the random draw.

    Args:
        bandwidth: Most images, bytes, or both; never exceeded.
        pool: Candidates.
        rows: Rows of `pool` that are wanted, shape (n,).
        stratify: Whether predicted classes get equal shares.
        rng: The only source of randomness.
    """
    wanted = pool.take(rows)
    if _fits(wanted, bandwidth):
        return rows
    drawn = RandomSampling(stratify=stratify).select(wanted, bandwidth, rng=rng)
    return positions(drawn.image_id, pool.image_id)


def _fits(pool: Pool, bandwidth: Bandwidth) -> bool:
    """Return whether all images of `pool` can be sent."""
    images = np.inf if bandwidth.images is None else bandwidth.images
    n_bytes = np.inf if bandwidth.bytes is None else bandwidth.bytes
    return len(pool) <= images and int(pool.size_bytes.sum()) <= n_bytes
