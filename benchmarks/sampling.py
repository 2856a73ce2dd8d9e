"""Choosing a batch's images by `median-thresh` against the same draw in plain pandas.

The peer does what a data scientist would write in a few lines: keep the upper half of each
class, draw an equal share of images a class, draw again at random for what is left. It skips
what ours does besides: bytes, shares that are handed on one by one, images without detections,
the draw's independence of the order of rows, and a reason for each image.
By the profile our time goes to one sort by class, confidence and image, two fifths, to finding
the heaviest detection of each image, an eighth, and to names of images, a sixth.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from backhaul.sampling import MedianThreshSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import FUSED_COLUMNS, FusedDetections
from backhaul.values.offers import Offers, Pool
from benchmarks.measure import Row, compare

IMAGES, DETECTIONS, CLASSES = 100_000, 1_000_000, 10
SENT = 0.3  # of the images
SEED = 0
LIMIT = "two fifths are the sort that makes draws independent of row order"


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the images and detections."""
    n_images, n_detections = (max(100, round(n * scale)) for n in (IMAGES, DETECTIONS))
    pool = pool_of(n_images, n_detections, rng)
    bandwidth = Bandwidth(images=round(n_images * SENT))
    times = compare(partial(_select, pool, bandwidth), partial(_in_pandas, pool, bandwidth))
    name = f"median-thresh, {n_detections:,} detections, {n_images:,} images"
    return [Row(name, *times, "pandas groupby and sample", LIMIT)]


def _select(pool: Pool, bandwidth: Bandwidth) -> list[str]:
    selection = MedianThreshSampling().select(pool, bandwidth, rng=np.random.default_rng(SEED))
    return selection.table["image_id"].tolist()


def _in_pandas(pool: Pool, bandwidth: Bandwidth) -> list[str]:
    rng = np.random.default_rng(SEED)
    n_images = bandwidth.images or 0
    seen = pool.detections.table
    median = seen.groupby("class_id")["confidence"].transform("median")
    upper = seen[seen["confidence"] >= median].drop_duplicates(["image_id", "class_id"])
    classes = upper.sample(frac=1.0, random_state=rng).groupby("class_id")
    drawn = classes.head(n_images // classes.ngroups)["image_id"].unique()
    left = upper.loc[~upper["image_id"].isin(drawn), "image_id"].drop_duplicates()
    filling = left.sample(min(n_images - len(drawn), len(left)), random_state=rng)
    return [*drawn, *filling]


def pool_of(n_images: int, n_detections: int, rng: np.random.Generator) -> Pool:
    """Return a pool of some images, some classes rarer than others, detections at random."""
    names = np.array([f"{i:032x}" for i in range(n_images)])
    share = np.geomspace(1.0, 0.05, CLASSES)
    table = pd.DataFrame(
        {
            "image_id": names[np.sort(rng.integers(0, n_images, n_detections))],
            "class_id": rng.choice(CLASSES, n_detections, p=share / share.sum()),
            "confidence": rng.beta(2, 2, n_detections),
            "confidence_std": 0.1,
            "votes": 5,
        }
    ).assign(x1=0.0, y1=0.0, x2=1.0, y2=1.0)
    sizes = rng.integers(20_000, 200_000, n_images)
    return Pool(
        Offers.originals(tuple(names.tolist()), sizes),
        FusedDetections.from_table(table[list(FUSED_COLUMNS)]),
    )
