"""Cut a choice that was made elsewhere to the bandwidth."""

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
    """Return the images to send of those at `rows` of the pool, in that order if all fit.

    Otherwise as many as fit, drawn at random; stratified, each predicted class keeps an equal
    share.
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
