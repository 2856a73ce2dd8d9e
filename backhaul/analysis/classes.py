"""Precision, recall and accuracy of the detections in a benchmark, by class."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backhaul.campaign.finding import Chart, Finding, Series, cells, values

ALL = "(all)"
RATIOS = ("precision", "recall", "accuracy")


def by_class(seen: pd.DataFrame, pos_thres: float, name: str = "classes") -> Finding:
    """Count hits and errors of each class, as `backhaul.measure.metrics.count` does.

    Args:
        seen: Detections, see `backhaul.analysis.seen`. Images without truth count for
            nothing, unless no image has any; then only confidences are known.
        pos_thres: Confidence from which a detection counts, in [0, 1].
        name: Name of the finding.

    Returns:
        A row for all classes, then one a class by name: TP (hits), FP (other detections), FN
        (truths that were not hit), precision TP / (TP + FP), recall TP / (TP + FN), accuracy
        TP / (TP + FP + FN), None for 0 / 0; mean confidence, and mean spread between
        checkpoints.
    """
    known = seen["hit"].notna()
    rows = seen[known] if known.any() else seen
    detected = rows[rows["detected"].notna() & (rows["conf"] >= pos_thres)]
    truths = rows[rows["actual"].notna()]
    classes = sorted({*rows["detected"].dropna(), *rows["actual"].dropna()})
    counted = [{"class": ALL, **_count(detected, truths, known=bool(known.any()))}]
    for each in classes:
        own = detected[detected["detected"] == each], truths[truths["actual"] == each]
        counted.append({"class": each, **_count(*own, known=bool(known.any()))})
    table = pd.DataFrame(counted)
    return Finding(
        name=name,
        title=f"Detections by class, from confidence {pos_thres:g} on",
        note="TP = hits, FP = other detections, FN = truths - TP; conf and conf_std are means "
        "over the detections." + ("" if known.any() else " There is no truth to compare with."),
        columns=tuple(table.columns),
        rows=cells(table),
        charts=(_chart(table),),
    )


def _count(detected: pd.DataFrame, truths: pd.DataFrame, *, known: bool) -> dict[str, Any]:
    counts: dict[str, Any] = dict.fromkeys(("TP", "FP", "FN", *RATIOS))
    if known:
        tp, n_detections, n_truths = int(detected["hit"].sum()), len(detected), len(truths)
        counts = {
            "TP": tp,
            "FP": n_detections - tp,
            "FN": n_truths - tp,
            "precision": _ratio(tp, n_detections),
            "recall": _ratio(tp, n_truths),
            "accuracy": _ratio(tp, n_detections + n_truths - tp),
        }
    means = {"conf": detected["conf"].mean(), "conf_std": detected["conf_std"].mean()}
    return {**counts, **means, "n_detections": len(detected), "n_truths": len(truths)}


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _chart(table: pd.DataFrame) -> Chart:
    x = tuple(table["class"])
    shown = (*RATIOS, "conf") if table["precision"].notna().any() else ("conf",)
    return Chart(
        title="by class",
        x_title="",
        y_title="in [0, 1]",
        series=tuple(Series(name=n, x=x, y=values(table[n]), kind="bars") for n in shown),
    )
