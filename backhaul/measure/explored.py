"""What frames that chance drew say about all frames that nodes captured."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from backhaul.arrays import FloatArray
from backhaul.measure.names import OF_EXPLORED
from backhaul.measure.statistics import CONFIDENCE
from backhaul.values.arrivals import Arrivals
from backhaul.values.images import ImageSet

LEAST_PROBABILITY = 1e-3
"""Frames with a smaller one count as with this, so that a single one never decides alone."""


def explored_rates(
    benchmark: pd.DataFrame, images: ImageSet, arrivals: Arrivals, pos_thres: float
) -> pd.DataFrame:
    """Estimate precision and recall over all frames captured, from those that chance drew.

    A frame that was drawn with probability p stands for 1 / p frames. Sums over frames are
    weighted by that, and divided by one another as in `backhaul.measure.metrics.count` (the
    ratio of Hájek, 1971): of hits by detections, and of hits by objects.

    Args:
        benchmark: Benchmark table of the images.
        images: The images with their labels, None where nobody labelled them; those count for
            nothing.
        arrivals: How nodes chose the images.
        pos_thres: Confidence from which a detection counts, in [0, 1].

    Returns:
        One row with `OF_EXPLORED`: labelled frames that chance drew, the two rates in [0, 1],
        NaN for 0 / 0, and half the widths of their 95 % intervals, see `ratio`.
    """
    known = images.labelled().ids
    own = arrivals.of(known)
    drawn = np.flatnonzero(own.is_explored)
    weight = 1 / np.maximum(own.probability[drawn], LEAST_PROBABILITY)
    ids = own.image_id[drawn].tolist()
    detected = benchmark[benchmark["conf"] >= pos_thres]
    hits = per_image(detected[detected["hit"].fillna(False).astype(bool)], ids)
    found = ratio(weight, hits, per_image(detected, ids))
    objects = ratio(weight, hits, per_image(benchmark[benchmark["actual"].notna()], ids))
    return pd.DataFrame([(len(ids), *found, *objects)], columns=list(OF_EXPLORED))


def ratio(weight: FloatArray, part: FloatArray, whole: FloatArray) -> tuple[float, float]:
    """Return a weighted ratio of sums, and half the width of its 95 % t-interval.

    The ratio R is sum w y / sum w x. Its variance is that of the linearised ratio, n / (n - 1)
    sum (w (y - R x))^2 / (sum w x)^2 (Särndal, Swensson and Wretman 1992, 5.6), as if frames
    were drawn independently of each other: frames of one burst say less.

    Args:
        weight: w, what each of n draws stands for, > 0, shape (n,).
        part: y, shape (n,).
        whole: x, shape (n,).

    Returns:
        NaN for 0 / 0, and for the width of fewer than two draws.
    """
    n, total = len(weight), float(weight @ whole)
    if not total:
        return float("nan"), float("nan")
    rate = float(weight @ part) / total
    if n == 1:
        return rate, float("nan")
    error = weight * (part - rate * whole)
    deviation = np.sqrt(n / (n - 1) * float(error @ error)) / total
    return rate, float(stdtrit(n - 1, (1 + CONFIDENCE) / 2) * deviation)


def per_image(rows: pd.DataFrame, ids: list[str]) -> FloatArray:
    """Return how many rows there are of each image."""
    counts = rows["image_id"].value_counts().to_dict()
    return np.array([counts.get(name, 0) for name in ids], dtype=np.float64)
