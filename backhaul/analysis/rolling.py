"""Calibration of confidences: precision of detections as a function of confidence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from backhaul.campaign.finding import Chart, Finding, Series, cells, values
from backhaul.errors import InputError

MOST_POINTS = 400
"""Windows kept of each curve, evenly spaced: neighbours differ by one detection."""
DEFAULT_SHARE = 10  # a tenth of the detections
CURVES = ("conf_low", "conf", "conf_high", "precision")


def rolling(
    parts: Mapping[str, pd.DataFrame], window: int | None = None, name: str = "rolling"
) -> Finding:
    """Slide a window over the detections, sorted by confidence.

    Args:
        parts: Detections, see `backhaul.analysis.seen`, by the name of its curve.
        window: Detections in a window; None = a tenth of a curve's detections, at least one.
        name: Name of the finding.

    Returns:
        A row a curve and window: lowest, mean and highest confidence in it, and the share of
        hits. Detections on images without truth are left out; so are curves that have fewer
        detections than the window.

    Raises:
        InputError: If the window is not positive, or no curve is left.
    """
    if window is not None and window < 1:
        raise InputError(f"window is {window}, expected at least 1 detection")
    detected = {
        label: seen[seen["detected"].notna() & seen["hit"].notna()]
        for label, seen in parts.items()
    }
    curves = {
        label: _slide(rows, window or max(1, len(rows) // DEFAULT_SHARE))
        for label, rows in detected.items()
        if len(rows) >= (window or 1)
    }
    if not curves:
        most = max(map(len, detected.values()), default=0)
        raise InputError(
            f"at most {most} detections can be compared with a truth, expected at least "
            f"{window or 1}"
        )
    table = pd.concat([c.assign(curve=label) for label, c in curves.items()])
    left_out = [label for label in parts if label not in curves]
    return Finding(
        name=name,
        title="Precision by confidence",
        note=f"Each point: {window or 'a tenth of the'} detections that follow each other in "
        "confidence. On the diagonal, a confidence is the chance to be right."
        + (f" With too few detections: {', '.join(left_out)}." if left_out else ""),
        columns=("curve", "window", *CURVES),
        rows=cells(table[["curve", "window", *CURVES]]),
        charts=(_chart(curves),),
    )


def _slide(rows: pd.DataFrame, window: int) -> pd.DataFrame:
    order = rows.sort_values(["conf", "hit"], ignore_index=True)
    conf, hit = (
        order["conf"].to_numpy(dtype=np.float64),
        order["hit"].to_numpy(dtype=np.float64),
    )
    first = _spread(len(order) - window + 1)
    last = first + window
    sums = np.concatenate([[0.0], np.cumsum(conf)]), np.concatenate([[0.0], np.cumsum(hit)])
    means = [(total[last] - total[first]) / window for total in sums]
    columns = (conf[first], means[0], conf[last - 1], means[1])
    return pd.DataFrame(dict(zip(CURVES, columns, strict=True))).assign(window=window)


def _spread(n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return at most `MOST_POINTS` of the numbers below `n`, with the first and the last."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(np.int64))


def _chart(curves: Mapping[str, pd.DataFrame]) -> Chart:
    lines = [
        Series(name=label, x=values(c["conf"]), y=values(c["precision"]))
        for label, c in curves.items()
    ]
    diagonal = Series(name="confidence = precision", x=(0.0, 1.0), y=(0.0, 1.0))
    return Chart(
        title="Precision by confidence",
        x_title="mean confidence in the window",
        y_title="precision",
        series=(*lines, diagonal),
    )
