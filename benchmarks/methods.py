"""Choosing by methods of each cost against a line or two of pandas that sends about the same.

The peers know no bytes, no images without detections and no ties, and depend on the order of
rows. Ours sort images by name, and values before they are summed, so that they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from backhaul.entropy import binary_entropy
from backhaul.sampling import Method, SamplingMethod
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from benchmarks.measure import Row, compare
from benchmarks.sampling import CLASSES, DETECTIONS, IMAGES, SEED, SENT, pool_of

LIMIT = "sorts that make the choice independent of row order, and a reason an image"
THRESHOLD = 0.5
ADAPTER = TypeAdapter[SamplingMethod](Method)


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the images and detections."""
    n_images, n_detections = (max(100, round(n * scale)) for n in (IMAGES, DETECTIONS))
    pool = pool_of(n_images, n_detections, rng)
    scores = rng.random((n_detections, CLASSES))
    pool = Pool(pool.offers, replace(pool.detections, scores=scores))
    bandwidth = Bandwidth(images=round(n_images * SENT))
    return [
        _row(given, peer, pool, bandwidth)
        for given, peer in (
            ("least-confidence", _least_confident),
            ("entropy", _entropy),
            ({"kind": "hard-example", "filter": "threshold"}, _threshold),
            ("rare-first", _rare_first),
        )
    ]


def _row(
    given: object, peer: Callable[[Pool, int], object], pool: Pool, bandwidth: Bandwidth
) -> Row:
    method = ADAPTER.validate_python(given)
    ours = partial(_select, method, pool, bandwidth)
    times = compare(ours, partial(peer, pool, bandwidth.images or 0))
    name = f"{method.label}, {len(pool.detections):,} detections, {len(pool):,} images"
    return Row(name, *times, "pandas in a line or two", LIMIT)


def _select(method: SamplingMethod, pool: Pool, bandwidth: Bandwidth) -> list[str]:
    return list(method.select(pool, bandwidth, rng=np.random.default_rng(SEED)).image_id)


def _least_confident(pool: Pool, n: int) -> object:
    seen = pool.detections.table
    return (1 - seen["confidence"]).groupby(seen["image_id"]).max().nlargest(n)


def _entropy(pool: Pool, n: int) -> object:
    scores = np.zeros((0, 1)) if pool.detections.scores is None else pool.detections.scores
    value = pd.Series(binary_entropy(scores).sum(axis=1))
    return value.groupby(pool.detections.table["image_id"]).max().nlargest(n)


def _threshold(pool: Pool, n: int) -> object:
    mean = pool.detections.table.groupby("image_id")["confidence"].mean()
    hard = mean[mean < THRESHOLD]
    return hard.sample(min(n, len(hard)), random_state=SEED)


def _rare_first(pool: Pool, n: int) -> object:
    seen = pool.detections.table.drop_duplicates(["image_id", "class_id"])
    turn = seen.sample(frac=1.0, random_state=SEED).groupby("class_id").cumcount()
    return seen.loc[turn.sort_values().index, "image_id"].drop_duplicates().head(n)
