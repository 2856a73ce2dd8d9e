"""Histograms of the confidence of correct and wrong detections."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backhaul.campaign.finding import Chart, Finding, Series, cells, values
from backhaul.errors import InputError

ALL = "(all)"
BINS = 20
MOST_CHARTS = 12  # the picture; the table has every class


def histogram(seen: pd.DataFrame, only: str | None = None, name: str = "histogram") -> Finding:
    """Count detections by confidence: hits, misses, and all of them.

    Args:
        seen: Detections, see `backhaul.analysis.seen`.
        only: Class that detections are of; None = all together, then each.
        name: Name of the finding.

    Returns:
        A row a class and bin [low, high), the last one closed: ``all`` detections, ``hit``
        and ``miss`` (wrong class, or nothing there); the two are None where there is no truth.

    Raises:
        InputError: If nothing was detected, or not as that class.
    """
    detected = seen[seen["detected"].notna()]
    by_frequency = [str(each) for each in detected["detected"].value_counts().index]
    if only is not None and only not in by_frequency:
        known = ", ".join(sorted(by_frequency)) or "nothing"
        raise InputError(f"nothing was detected as {only!r}: detected were {known}")
    if detected.empty:
        raise InputError("nothing was detected: there are no confidences")
    shown = [ALL, *by_frequency] if only is None else [only]
    parts = [
        _counts(detected if each == ALL else detected[detected["detected"] == each], each)
        for each in shown
    ]
    table = pd.concat(parts, ignore_index=True)
    left_out = len(parts) - MOST_CHARTS
    return Finding(
        name=name,
        title="Confidence of detections" + (f" as {only}" if only is not None else ""),
        note="A hit is of the class of the object it lies on, a miss is not; objects that were "
        "overlooked have no confidence."
        + (f" {left_out} rarer classes are in the table alone." if left_out > 0 else ""),
        columns=tuple(table.columns),
        rows=cells(table),
        charts=tuple(_chart(part) for part in parts[:MOST_CHARTS]),
    )


def _counts(detected: pd.DataFrame, name: str) -> pd.DataFrame:
    edges = np.linspace(0.0, 1.0, BINS + 1).round(6)

    def count(rows: pd.DataFrame) -> list[int]:
        counts: list[int] = np.histogram(rows["conf"], bins=edges)[0].tolist()
        return counts

    known = detected["hit"].notna().any()
    return pd.DataFrame(
        {
            "class": name,
            "low": edges[:-1],
            "high": edges[1:],
            "hit": count(detected[detected["hit"].eq(True)]) if known else None,
            "miss": count(detected[detected["hit"].eq(False)]) if known else None,
            "all": count(detected),
        }
    )


def _chart(part: pd.DataFrame) -> Chart:
    name = str(part["class"].iloc[0])
    x = tuple((part["low"] + part["high"]) / 2)
    known = [kind for kind in ("hit", "miss") if part[kind].notna().any()]
    bars = [Series(name=kind, x=x, y=values(part[kind]), kind="bars") for kind in known]
    total = Series(name="all", x=x, y=values(part["all"]), kind="line" if bars else "bars")
    return Chart(
        title=f"{name}: {int(part['all'].sum())} detections",
        x_title="confidence",
        y_title="detections",
        series=(*bars, total),
    )
