"""Cut a choice that was made elsewhere to the bandwidth."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import IntArray
from backhaul.sampling.interval import RandomSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import FusedDetections
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
    wanted = _restrict(pool, rows)
    if _fits(wanted, bandwidth):
        return rows
    row = {image_id: i for i, image_id in enumerate(pool.image_id)}
    drawn = RandomSampling(stratify=stratify).select(wanted, bandwidth, rng=rng)
    return np.array([row[image_id] for image_id in drawn.table["image_id"]], dtype=np.int64)


def _restrict(pool: Pool, rows: IntArray) -> Pool:
    """Return the images at `rows` with their detections."""
    image_id = tuple(pool.image_id[row] for row in rows)
    table = pool.detections.table
    detections = FusedDetections(table[table["image_id"].isin(image_id)])
    return Pool(image_id, pool.size_bytes[rows], detections)  # files play no part in a cut


def _fits(pool: Pool, bandwidth: Bandwidth) -> bool:
    """Return whether all images of `pool` can be sent."""
    images = np.inf if bandwidth.images is None else bandwidth.images
    n_bytes = np.inf if bandwidth.bytes is None else bandwidth.bytes
    return len(pool) <= images and int(pool.size_bytes.sum()) <= n_bytes
