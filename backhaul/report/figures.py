"""Figures of one method, and of the time that stages took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from backhaul.arrays import IntArray
from backhaul.campaign.run import CONTROL
from backhaul.report import tables
from backhaul.report.plot import (
    NEUTRAL,
    PALETTE,
    Figure,
    Trace,
    axes,
    boundary,
    legend_below,
    plain,
    values,
)
from backhaul.report.wording import duration, shortened

HIT, MISS = "#1594a6", "#d9730d"
CACHED = "#b6bec9"
MOST_CLASSES = 30  # of a figure; the table has them all
BAR_PX = 26
TICK_CHARACTERS = 12


def pool_and_sent(seen: pd.DataFrame, colour: str) -> Figure:
    """Compare the confidences of all detections of a method's batches with those it sent."""
    detections = seen[seen["detected"].notna()]
    sent = detections[detections["sent"]]
    traces = [
        _bars(name, tables.confidence_counts(rows["conf"]), shade, share=True)
        for name, rows, shade in (("pool", detections, NEUTRAL), ("sent", sent, colour))
        if len(rows)
    ]
    layout = axes("confidence", "% of detections", height=250) | {"barmode": "group"}
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
    layout = axes("confidence", "detections", height=250) | {"barmode": "stack"}
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
            for so_far in y.values():
                so_far.append(None)
        x += values(log["epoch"])
        for name, so_far in y.items():
            so_far.extend(values(log[name]))
        if batch is not None:
            edge = float(log["epoch"].min()) - 0.5
            shape, note = boundary(edge, f"batch {batch}")
            shapes.append(shape)
            notes.append(note)
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
    layout = axes("epoch", "loss", height=300) | {"shapes": shapes, "annotations": notes}
    return {"data": traces, "layout": layout}


def class_balance(
    balance: pd.DataFrame, class_names: Sequence[str], colour: str
) -> Figure | None:
    """Compare the shares of the classes in a method's pool with those in what it sent.

    Args:
        balance: What `backhaul.report.tables.class_balance` returns.
        class_names: All classes; of more than 30 the most frequent ones are shown.
        colour: Colour of the method.

    Returns:
        The figure, None if nothing was sent.
    """
    if not balance["sent"].sum():
        return None
    known = balance.reindex([name for name in class_names if name in balance.index])
    top = known["pool"].nlargest(MOST_CLASSES).index
    shown = known[known.index.isin(top)]
    places = list(range(len(shown)))
    traces: list[Trace] = [
        {
            "type": "bar",
            "name": where,
            "x": places,
            "y": values(100 * shown[f"{where}_share"]),
            "customdata": [
                [plain(str(name)), int(n)]
                for name, n in zip(shown.index, shown[where], strict=True)
            ],
            "marker": {"color": shade},
            "hovertemplate": "%{customdata[0]}: %{customdata[1]} objects, %{y:.1f} %",
        }
        for where, shade in (("pool", NEUTRAL), ("sent", colour))
    ]
    figure = axes("", "% of objects", height=250) | {"barmode": "group"}
    words = [plain(shortened(str(name), TICK_CHARACTERS)) for name in shown.index]
    figure["xaxis"] |= {"tickmode": "array", "tickvals": places, "ticktext": words}
    return {"data": traces, "layout": figure}


def stage_times(
    by_method: pd.DataFrame, cached: pd.Series[float], colours: Mapping[str, str]
) -> Figure:
    """Show the time of each stage, stacked by method, and apart from it that of the cache.

    Args:
        by_method: Seconds that were computed: stages by methods.
        cached: Seconds spent on reading the cache, by stage; its index has all stages.
        colours: Colour of each method; what all methods share is grey.
    """
    stages = list(cached.index)
    order = [c for c in (*colours, tables.SHARED) if c in by_method.columns]
    parts = {label: by_method[label].reindex(stages).fillna(0.0) for label in order}
    shades: dict[str, Any] = {label: {"color": colours.get(label, NEUTRAL)} for label in order}
    if CONTROL in shades:  # as grey as what is shared
        shades[CONTROL] |= {"pattern": {"shape": "/", "solidity": 0.3}}
    if cached.gt(0).any():
        parts["from the cache"] = cached
        shades["from the cache"] = {"color": CACHED, "pattern": {"shape": ".", "size": 5}}
    traces: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": plain(label),
            "x": values(seconds),
            "y": stages,
            "customdata": [duration(s) for s in seconds],
            "marker": shades[label],
            "hovertemplate": "%{y}: %{customdata}",
        }
        for label, seconds in parts.items()
    ]
    height = 120 + BAR_PX * len(stages)
    figure = axes("seconds", "", height=height) | legend_below(height, len(traces))
    figure["yaxis"] |= {"autorange": "reversed", "type": "category"}
    return {"data": traces, "layout": figure | {"barmode": "stack"}}
