"""Figures as plotly.js takes them: plain dictionaries, no NaN, names escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from backhaul.report import tables
from backhaul.rundata import CONTROL, INIT
from backhaul.types import IntArray

Figure: TypeAlias = dict[str, Any]

METRICS = ("mAP50", "mAP50-95", "prec", "recall", "acc", "conf", "conf_std", "detect_conf_std")
PALETTE = (  # readable on white and on near-black
    "#3b7dd8",
    "#d9730d",
    "#2e9e5b",
    "#d64550",
    "#8b6bd9",
    "#1594a6",
    "#cf4f9a",
    "#8a8f1f",
    "#a5714a",
)
NEUTRAL = "#7c8796"
HIT, MISS = "#1594a6", "#d9730d"
LEGEND_ROW_PX = 20
SYMBOLS = ("circle", "square", "diamond", "triangle-up")


def method_colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each method; arms without new data are grey."""
    arms = [label for label in labels if label not in (INIT, CONTROL)]
    colours = {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(arms)}
    return {label: colours.get(label, NEUTRAL) for label in (*labels, INIT, CONTROL)}


def learning_curves(
    summary: pd.DataFrame, unit: str, title: str, colours: Mapping[str, str]
) -> Figure:
    """Plot every metric against what was sent; ``layout.meta`` holds the values of each metric.

    Args:
        summary: Rows of summary.csv.
        unit: ``images`` or ``bytes``.
        title: Title of the x axis.
        colours: Colour of each method.
    """
    by_metric = {metric: _by_method(tables.curves(summary, metric)) for metric in METRICS}
    labels = [label for label in colours if label in by_metric[METRICS[0]]]
    traces = [
        _curve(label, i, by_metric[METRICS[0]][label], unit, colours[label])
        for i, label in enumerate(labels)
    ]
    traces.append(_start(tables.initial(summary)))
    meta = {
        metric: [
            *(_values(by_method[label]["value"]) for label in labels),
            _values([tables.initial(summary, metric)]),
        ]
        for metric, by_method in by_metric.items()
    }
    height = 400 + LEGEND_ROW_PX * (len(traces) // 2)
    layout = _layout(title, METRICS[0], height=height) | {"meta": meta, "hovermode": "closest"}
    layout["yaxis"]["rangemode"] = "normal"  # from zero, the methods would lie on each other
    layout["legend"] |= {"yref": "container", "y": 0, "yanchor": "bottom"}
    return {"data": traces, "layout": layout}


def _curve(label: str, i: int, points: pd.DataFrame, unit: str, colour: str) -> dict[str, Any]:
    lap = i // len(PALETTE)  # colours repeat, lines and markers tell the laps apart
    dash = "dash" if label == CONTROL else ("solid", "dot")[lap % 2]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": html.escape(label),
        "x": _values(points[unit]),
        "y": _values(points["value"]),
        "customdata": [_moment(batch) for batch in points["batch"]],
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "symbol": SYMBOLS[lap % len(SYMBOLS)], "size": 7},
        "cliponaxis": False,
        "hovertemplate": "%{customdata}: %{y:.3f} at %{x:.4s}",
    }


def _moment(batch: int) -> str:
    return "initial model" if batch == tables.INITIAL_BATCH else f"after batch {batch}"


def _start(value: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "initial model",
        "x": [0],
        "y": _values([value]),
        "marker": {"color": NEUTRAL, "symbol": "star", "size": 13},
        "cliponaxis": False,
        "hovertemplate": "%{y:.3f}",
    }


def _by_method(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(label): points for label, points in curves.groupby("method", sort=True)}


def pool_and_sent(seen: pd.DataFrame, colour: str) -> Figure:
    """Compare the confidences of all detections of a method's batches with those it sent."""
    detections = seen[seen["detected"].notna()]
    sent = detections[detections["sent"]]
    traces = [
        _bars(name, tables.confidence_counts(rows["conf"]), shade, share=True)
        for name, rows, shade in (("pool", detections, NEUTRAL), ("sent", sent, colour))
        if len(rows)
    ]
    layout = _layout("confidence", "% of detections", height=250) | {"barmode": "group"}
    return {"data": traces, "layout": layout}


def hits_and_misses(seen: pd.DataFrame) -> Figure:
    """Show how confident the right and the wrong detections of a method's batches were."""
    detections = seen[seen["detected"].notna()]
    parts = {
        "hit": (detections["hit"].eq(True), HIT),
        "miss": (detections["hit"].eq(False), MISS),
        "no truth": (detections["hit"].isna(), NEUTRAL),
    }
    traces = [
        _bars(name, tables.confidence_counts(detections.loc[mask, "conf"]), colour, share=False)
        for name, (mask, colour) in parts.items()
        if mask.any()
    ]
    layout = _layout("confidence", "detections", height=250) | {"barmode": "stack"}
    return {"data": traces, "layout": layout}


def _bars(name: str, counts: IntArray, colour: str, *, share: bool) -> dict[str, Any]:
    edges = np.linspace(0, 1, len(counts) + 1)
    heights = 100 * counts / max(counts.sum(), 1) if share else counts
    spans = [f"{a:.2f} to {b:.2f}" for a, b in pairwise(edges)]
    return {
        "type": "bar",
        "name": name,
        "x": np.round((edges[:-1] + edges[1:]) / 2, 3).tolist(),
        "y": np.round(heights, 3).tolist(),
        "customdata": [[span, n] for span, n in zip(spans, counts.tolist(), strict=True)],
        "marker": {"color": colour},
        "hovertemplate": "%{customdata[0]}: %{customdata[1]} detections",
    }


def losses(logs: Iterable[tuple[int | None, pd.DataFrame]]) -> Figure:
    """Plot the losses of one method's trainings, in order; a dashed line marks each retraining.

    Args:
        logs: Batch (None = initial training) and training log: epoch, train_loss, valid_loss.
    """
    x: list[Any] = []
    y: dict[str, list[Any]] = {"train_loss": [], "valid_loss": []}
    shapes, notes = [], []
    for batch, log in logs:
        if x:
            x.append(None)  # a gap between two trainings
            for values in y.values():
                values.append(None)
        x += _values(log["epoch"])
        for name, values in y.items():
            values.extend(_values(log[name]))
        if batch is not None:
            edge = float(log["epoch"].min()) - 0.5
            shapes.append(_boundary(edge))
            notes.append(_boundary_note(edge, batch))
    styles = {"train_loss": (PALETTE[0], "solid"), "valid_loss": (PALETTE[1], "solid")}
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name.replace("_loss", ""),
            "x": x,
            "y": y[name],
            "line": {"color": colour, "dash": dash, "width": 2},
            "marker": {"size": 4},
            "hovertemplate": "epoch %{x}: %{y:.4g}",
        }
        for name, (colour, dash) in styles.items()
    ]
    layout = _layout("epoch", "loss", height=300) | {"shapes": shapes, "annotations": notes}
    return {"data": traces, "layout": layout}


def _boundary(x: float) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": NEUTRAL, "width": 1, "dash": "dash"},
    }


def _boundary_note(x: float, batch: int) -> dict[str, Any]:
    return {
        "x": x,
        "y": 1,
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "text": f"batch {batch}",
        "textangle": 90,
        "showarrow": False,
        "font": {"size": 10},
    }


def _layout(x_title: str, y_title: str, *, height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 30, "b": 44},
        "xaxis": {"title": {"text": x_title}, "automargin": True},
        "yaxis": {"title": {"text": y_title}, "automargin": True, "rangemode": "tozero"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "showlegend": True,
    }


def _values(numbers: Iterable[float]) -> list[float | None]:
    """Return plain numbers, None for what is not finite (JSON has no NaN)."""
    return [float(v) if np.isfinite(v) else None for v in numbers]
