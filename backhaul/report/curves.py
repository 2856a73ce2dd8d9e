"""Lines over images, bytes and batches, with a band where several seeds were played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from backhaul.measure.names import RANKED
from backhaul.measure.statistics import Estimates
from backhaul.report.plot import (
    NEUTRAL,
    Figure,
    Trace,
    axes,
    band,
    band_trace,
    legend_below,
    line_style,
    plain,
    values,
)
from backhaul.report.tables import INITIAL_BATCH
from backhaul.report.wording import plus_minus

CURVE_PX = 400


def learning_curves(
    points: Estimates, unit: str, title: str, colours: Mapping[str, str]
) -> Figure:
    """Plot every metric against what was sent.

    ``layout.meta`` holds, for each metric, what changes in the traces: x, y and customdata.

    Args:
        points: What `backhaul.report.tables.curves` returns.
        unit: The column of `points` on the x axis.
        title: Title of the x axis.
        colours: Colour of each method.
    """
    by_metric = {metric: _traces(points, unit, metric, colours) for metric in RANKED}
    meta = {
        metric: {key: [trace[key] for trace in traces] for key in ("x", "y", "customdata")}
        for metric, traces in by_metric.items()
    }
    traces = by_metric[RANKED[0]]
    shown = sum(trace.get("showlegend", True) for trace in traces)
    figure = axes(title, RANKED[0], height=CURVE_PX) | legend_below(CURVE_PX, shown)
    figure["yaxis"]["rangemode"] = "normal"  # from zero, the methods would lie on each other
    return {"data": traces, "layout": figure | {"meta": meta, "hovermode": "closest"}}


def _traces(
    points: Estimates, unit: str, metric: str, colours: Mapping[str, str]
) -> list[Trace]:
    parts = _by_method(points, colours)
    x = {label: part.mean[unit].tolist() for label, part in parts.items()}
    points_of = {label: (x[label], part) for label, part in parts.items()}
    traces = _lines(points_of, metric, colours, hover="%{customdata}, %{x:.4s} sent")
    for trace in traces:
        trace["cliponaxis"] = False
    start = points.of(INITIAL_BATCH, "batch").mean[metric].iloc[:1]
    star = {
        "type": "scatter",
        "mode": "markers",
        "name": "initial model",
        "x": [0],
        "y": values(start),
        "customdata": ["initial model"],
        "marker": {"color": NEUTRAL, "symbol": "star", "size": 13},
        "cliponaxis": False,
        "hovertemplate": "%{y:.3f}",
    }
    return [*traces, star]


def forgetting(change: Estimates, colours: Mapping[str, str]) -> Figure:
    """Plot the change on the old test set after each batch, from the initial model on.

    Args:
        change: What `backhaul.report.tables.forgetting` returns.
        colours: Colour of each method.
    """
    parts = {label: _from_zero(part) for label, part in _by_method(change, colours).items()}
    figure = _batch_by_batch(parts, "change", "change of mAP50", colours)
    figure["layout"]["yaxis"] |= {"zeroline": True, "zerolinewidth": 2}
    return figure


def old_test(start: Estimates, scores: Estimates, colours: Mapping[str, str]) -> Figure:
    """Plot mAP50 on the old test set after each batch, from the initial model on.

    Args:
        start: mAP50 of the initial model there, a row.
        scores: What `backhaul.report.tables.forgetting` returns.
        colours: Colour of each method.
    """
    first = [t[["mAP50"]].set_axis([INITIAL_BATCH] * len(t)) for t in start.tables]
    parts = {
        label: Estimates(
            *(pd.concat([f, t[["mAP50"]]]) for f, t in zip(first, part.tables, strict=True))
        )
        for label, part in _by_method(scores, colours).items()
    }
    return _batch_by_batch(parts, "mAP50", "mAP50", colours)


def _batch_by_batch(
    parts: Mapping[str, Estimates], column: str, title: str, colours: Mapping[str, str]
) -> Figure:
    """Plot a column of each method over the initial model and the batches."""
    words = {label: [_moment(b) for b in part.mean.index] for label, part in parts.items()}
    points = {label: (words[label], part) for label, part in parts.items()}
    traces = _lines(points, column, colours, hover="%{customdata}")
    shown = sum(trace.get("showlegend", True) for trace in traces)
    figure = axes("", title, height=300) | legend_below(300, shown)
    figure["yaxis"] |= {"rangemode": "normal"}
    batches = sorted({batch for part in parts.values() for batch in part.mean.index})
    order = [_moment(batch) for batch in batches]
    figure["xaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": order}
    return {"data": traces, "layout": figure}


def _moment(batch: int) -> str:
    return "initial" if batch == INITIAL_BATCH else f"batch {batch}"


def _from_zero(part: Estimates) -> Estimates:
    """Put the initial model before the batches: no change, and that is certain."""

    def begin(table: pd.DataFrame, value: float) -> pd.DataFrame:
        return pd.concat([pd.DataFrame({"change": [value]}, index=[INITIAL_BATCH]), table])

    certain = 0.0 if part.half_width["change"].notna().any() else np.nan
    return Estimates(
        begin(part.mean[["change"]], 0.0),
        begin(part.half_width[["change"]], certain),
        begin(part.n[["change"]], part.n["change"].max()),
    )


def _by_method(points: Estimates, colours: Mapping[str, str]) -> dict[str, Estimates]:
    """Return the points of each method by batch, in the order of the colours."""
    known = set(points.mean.index.get_level_values("method"))
    return {label: points.of(label, "method") for label in colours if label in known}


def _lines(
    parts: Mapping[str, tuple[Sequence[Any], Estimates]],
    column: str,
    colours: Mapping[str, str],
    *,
    hover: str,
) -> list[Trace]:
    """Return the bands of all methods, if there are several seeds, then their lines."""
    bands, lines = [], []
    for i, (label, (x, part)) in enumerate(parts.items()):
        name = plain(label)
        mean, half_width, n = (table[column].to_numpy(dtype=float) for table in part.tables)
        if (part.n > 1).to_numpy().any():
            outline = band(x, mean - half_width, mean + half_width)
            bands.append(band_trace(outline, colours[label], name) | {"customdata": []})
        lines.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "legendgroup": name,
                "x": list(x),
                "y": values(mean),
                "customdata": [
                    _hover_text(batch, *point)
                    for batch, point in zip(
                        part.mean.index, zip(mean, half_width, n, strict=True), strict=True
                    )
                ],
                "hovertemplate": hover,
                **line_style(label, i, colours[label]),
            }
        )
    return [*bands, *lines]


def _hover_text(batch: int, mean: float, half_width: float, n: float) -> str:
    moment = "initial model" if batch == INITIAL_BATCH else f"after batch {batch}"
    seeds = f" ({n:.0f} seeds)" if n > 1 else ""
    return f"{moment}: {plus_minus(mean, half_width)}{seeds}"
