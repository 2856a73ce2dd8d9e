"""Features of samples: statistics of the images that a method sent of a batch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from backhaul.campaign.run import CONTROL, Run, SampledBatch

Feature = Literal[
    "mean_conf",
    "median_conf",
    "std_conf",
    "mean_conf_std",
    "undetected_share",
    "detections_per_image",
    "class_balance",
    "hit_rate",
    "mean_bytes",
    "images_sent",
]
MEANINGS: dict[str, str] = {
    "mean_conf": "mean confidence of detections",
    "median_conf": "median confidence of detections",
    "std_conf": "sample standard deviation of the confidences of detections",
    "mean_conf_std": "mean spread between checkpoints",
    "undetected_share": "share of images without any detection",
    "detections_per_image": "detections an image",
    "class_balance": "entropy of detected classes over that of equally many of each",
    "hit_rate": "share of detections that are hits",
    "mean_bytes": "mean bytes an image",
    "images_sent": "images sent",
}
"""Features with their meaning, from the ensemble's predictions before sampling."""


def features(run: Run) -> pd.DataFrame:
    """Return the features of each sample; the control arm sends none.

    Returns:
        Columns ``method``, ``batch``, then those of ``MEANINGS``: NaN where undefined, as
        confidences without detections, hits without truth, the balance of a single class.
    """
    sent = run.summary.dropna(subset="batch").drop_duplicates(["method", "batch"])
    n_bytes = sent.set_index(["method", "batch"])["mean_bytes_sent"].to_dict()
    rows = [
        {
            "method": r.method,
            "batch": r.batch,
            **_features(r, len(run.class_names)),
            "mean_bytes": n_bytes.get((r.method, r.batch), float("nan")),
        }
        for r in run.batches
        if r.method != CONTROL and r.sent
    ]
    return pd.DataFrame(rows, columns=["method", "batch", *MEANINGS])


def _features(one: SampledBatch, n_classes: int) -> dict[str, float]:
    seen = one.seen[one.seen["file"].isin(one.sent) & one.seen["detected"].notna()]
    known = seen["hit"].dropna()
    return {
        "mean_conf": seen["conf"].mean(),
        "median_conf": seen["conf"].median(),
        "std_conf": seen["conf"].std(),
        "mean_conf_std": seen["conf_std"].mean(),
        "undetected_share": 1 - seen["file"].nunique() / len(one.sent),
        "detections_per_image": len(seen) / len(one.sent),
        "class_balance": _balance(seen["detected"], n_classes),
        "hit_rate": float(known.astype(float).mean()),
        "images_sent": len(one.sent),
    }


def _balance(classes: pd.Series[str], n_classes: int) -> float:
    """Return the evenness of Pielou (1966): entropy over its greatest value, in [0, 1]."""
    if classes.empty or n_classes <= 1:
        return float("nan")
    share = classes.value_counts(normalize=True).to_numpy()
    return float(-(share * np.log(share)).sum() / np.log(n_classes))
