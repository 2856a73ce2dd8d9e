"""Shared parts of all figures: colours, axes, and numbers in the format of plotly.js."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.campaign.run import CONTROL
from backhaul.layout import INITIAL

Figure: TypeAlias = dict[str, Any]
Trace: TypeAlias = dict[str, Any]

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
BAND_OPACITY = 0.18
LEGEND_ROW_PX = 20
LEGEND = {"orientation": "h", "x": 0, "traceorder": "normal"}
SYMBOLS = ("circle", "square", "diamond", "triangle-up")


def method_colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each method; arms without new data are grey."""
    arms = [label for label in labels if label not in (INITIAL, CONTROL)]
    colours = {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(arms)}
    return {label: colours.get(label, NEUTRAL) for label in (*labels, INITIAL, CONTROL)}


def line_style(label: str, i: int, colour: str) -> dict[str, Any]:
    """Return line and marker of the `i`-th method; where colours repeat, these differ.

    Args:
        label: Label of the method.
        i: Position of the method among all methods, from 0.
        colour: Colour of the method.
    """
    lap = i // len(PALETTE)
    dash = "dash" if label == CONTROL else ("solid", "dot")[lap % 2]
    return {
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "symbol": SYMBOLS[lap % len(SYMBOLS)], "size": 7},
    }


def band(x: Sequence[Any], low: FloatArray, high: FloatArray) -> dict[str, list[Any]]:
    """Return the outline of the area between two lines as lists x and y of a filled trace.

    Where an edge is missing the area ends, and another begins after it.

    Args:
        x: Positions, shape (n,).
        low: Lower edge, shape (n,); NaN where it is missing.
        high: Upper edge, shape (n,); NaN where it is missing.
    """
    known = np.isfinite(low) & np.isfinite(high)
    outline: dict[str, list[Any]] = {"x": [], "y": []}
    for part in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known)) + 1):
        if len(part) and known[part[0]]:
            gap = [None] if outline["x"] else []
            there = [x[i] for i in part]
            outline["x"] += [*gap, *there, *reversed(there)]
            outline["y"] += [
                *gap,
                *(float(low[i]) for i in part),
                *(float(high[i]) for i in reversed(part)),
            ]
    return outline


def band_trace(outline: dict[str, list[Any]], colour: str, group: str) -> Trace:
    """Return the filled area of `band`; the legend shows and hides it with its line.

    Args:
        outline: What `band` returns.
        colour: Colour of the line, as a hexadecimal number with #.
        group: Legend group of the line.
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{group}: interval",
        "legendgroup": group,
        "showlegend": False,
        **outline,
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},{BAND_OPACITY})",
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
    }


def boundary(x: float, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the shape and the annotation of a dashed vertical line with words on top."""
    shape = {
        "type": "line",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": NEUTRAL, "width": 1, "dash": "dash"},
    }
    note = {
        "x": x,
        "y": 1,
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "text": text,
        "textangle": 90,
        "showarrow": False,
        "font": {"size": 10},
    }
    return shape, note


def axes(x_title: str, y_title: str, *, height: int) -> dict[str, Any]:
    """Return axes that begin at zero, with the legend in rows above them.

    Args:
        x_title: Title of the x axis.
        y_title: Title of the y axis.
        height: Height of the figure in pixels.
    """
    return {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 30, "b": 44},
        "xaxis": {"title": {"text": x_title}, "automargin": True},
        "yaxis": {"title": {"text": y_title}, "automargin": True, "rangemode": "tozero"},
        "legend": {**LEGEND, "y": 1.02, "yanchor": "bottom"},
        "showlegend": True,
    }


def legend_below(height: int, n_entries: int) -> dict[str, Any]:
    """Return the changes to `axes` that put a long legend below the axes."""
    return {
        "height": height + LEGEND_ROW_PX * (n_entries // 2),
        "legend": {
            **LEGEND,
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "tracegroupgap": 0,
        },
    }


def plain(text: str) -> str:
    """Return `text` so that plotly.js takes none of it for a tag; it leaves quotes alone."""
    return html.escape(text, quote=False)


def values(numbers: Iterable[Any]) -> list[float | None]:
    """Return plain numbers, None for what is not finite (JSON has no NaN)."""
    return [float(v) if v is not None and np.isfinite(v) else None for v in numbers]
