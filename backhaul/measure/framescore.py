"""How well a model sees a frame: F1 of its detections there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.measure.explored import per_image


def frame_scores(
    benchmark: pd.DataFrame, image_id: Sequence[str], pos_thres: float
) -> FloatArray:
    """Return F1 of each frame, 2 TP / (detections + truths), in [0, 1].

    A frame without objects in which nothing is detected is seen rightly: 1. Frames are what
    chance draws, so a mean over them says something of all that were captured; average
    precision ranks the detections of all frames together, and has no value of a single one.

    Args:
        benchmark: Benchmark table of the frames, see `backhaul.measure.matching.benchmark`.
        image_id: The frames, all of them labelled.
        pos_thres: Confidence from which a detection counts, in [0, 1].
    """
    ids = list(image_id)
    detected = benchmark[benchmark["conf"] >= pos_thres]
    hits = per_image(detected[detected["hit"].fillna(False).astype(bool)], ids)
    truths = per_image(benchmark[benchmark["actual"].notna()], ids)
    both = per_image(detected, ids) + truths
    return np.where(both > 0, 2 * hits / np.maximum(both, 1), 1.0)
