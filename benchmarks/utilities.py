"""Utilities of objects against scikit-activeml's of the same class probabilities.

Both are a few passes of NumPy over the table. Ours divides scores by their sums first, which
theirs need not, as they take probabilities alone; theirs checks that they are some.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from skactiveml.pool import uncertainty_scores

from backhaul.sampling.utilities import categorical_entropy, margin
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from benchmarks.measure import Row, compare

DETECTIONS, CLASSES = 1_000_000, 10
LIMIT = "memory: passes over the table of scores"


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the detections."""
    n = max(100, round(DETECTIONS * scale))
    scores = rng.dirichlet(np.ones(CLASSES), n)
    found = FusedDetections(
        image_id=names_of(["a"] * n),
        class_id=scores.argmax(axis=1),
        confidence=scores.max(axis=1),
        xyxy=np.zeros((n, 4)),
        scores=scores,
        confidence_std=np.zeros(n),
        votes=np.ones(n, dtype=np.int64),
        box_spread=np.zeros(n),
    )
    return [
        Row(
            f"{name}, {n:,} detections of {CLASSES} classes",
            *compare(partial(ours, found), partial(uncertainty_scores, scores, method=theirs)),
            "scikit-activeml",
            LIMIT,
        )
        for name, ours, theirs in (
            ("margin", margin, "margin_sampling"),
            ("categorical-entropy", categorical_entropy, "entropy"),
        )
    ]
