"""The charts of a finding as one picture."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.campaign.finding import Chart, Finding, Mark, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = (  # Okabe and Ito (2008), without the yellow that fades on white
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", ":", "-.")
WIDTH_IN, HEIGHT_IN, DPI = 9.0, 4.0, 110
FEW_POINTS = 60  # more would hide the line they lie on
INSIDE = 6  # longest legend that still finds a place between the lines
BARS_SHARE = 0.8


class _Style(NamedTuple):
    colour: str
    marker: str
    dash: str


def draw(finding: Finding) -> bytes:
    """Return a PNG of the charts of `finding`, one below the other.

    Raises:
        ValueError: If it has none.
    """
    if not finding.charts:
        raise ValueError(f"{finding.name} has no charts")
    n = len(finding.charts)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN * n), dpi=DPI, layout="constrained")
    axes = figure.subplots(n, 1, squeeze=False)[:, 0]
    for axis, chart in zip(axes, finding.charts, strict=True):
        _draw_chart(axis, chart)
    target = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the table has it in letters.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(target, format="png")
    return target.getvalue()


def _draw_chart(axis: Axes, chart: Chart) -> None:
    words = _words(chart.series)
    offsets, width = _bar_places(chart.series, words)
    handles = []
    for series, style in zip(chart.series, _styles(len(chart.series)), strict=True):
        if series.kind == "bars":
            x = _places(series, words) + offsets.pop(0)
            handles.append(_draw_bars(axis, series, x, width, style))
        else:
            handles.append(_draw_points(axis, series, _places(series, words), style))
    for mark in chart.marks:
        _draw_mark(axis, mark)
    if words:
        axis.set_xticks(range(len(words)), [_literal(word) for word in words])
        if max(map(len, words)) * len(words) > WIDTH_IN * DPI / 8:
            axis.tick_params(axis="x", rotation=30)
    axis.set_title(_literal(chart.title), loc="left", pad=14 if chart.marks else 6)
    axis.set_xlabel(_literal(chart.x_title))
    axis.set_ylabel(_literal(chart.y_title))
    axis.grid(visible=True, color="#e4e4e4", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    _draw_legend(axis, handles, chart.series)


def _styles(n: int) -> list[_Style]:
    """Return `n` styles; colours repeat only with another dash."""
    laps = [_Style(c, m, d) for d in DASHES for c, m in zip(PALETTE, MARKERS, strict=True)]
    return list(islice(cycle(laps), n))


def _words(series: Sequence[Series]) -> dict[str, int]:
    """Return the place of each category, in the order they come; empty for an axis of numbers.

    Numbers beside words are categories as well.
    """
    values = [x for one in series for x in one.x]
    if not any(isinstance(x, str) for x in values):
        return {}
    return {word: place for place, word in enumerate(dict.fromkeys(map(str, values)))}


def _places(series: Series, words: Mapping[str, int]) -> FloatArray:
    places = [words[str(x)] for x in series.x] if words else series.x
    return np.array(places, dtype=np.float64)


def _numbers(values: Sequence[float | None]) -> FloatArray:
    return np.array(values, dtype=np.float64)  # None becomes NaN, which is a gap


def _bar_places(
    series: Sequence[Series], words: Mapping[str, int]
) -> tuple[list[float], float]:
    """Return how far each series of bars stands aside, and how wide its bars are."""
    places = [_places(one, words) for one in series if one.kind == "bars"]
    apart = np.diff(np.unique(np.concatenate(places or [np.zeros(0)])))
    width = BARS_SHARE * float(apart.min() if apart.size else 1.0) / max(len(places), 1)
    return [width * (i - (len(places) - 1) / 2) for i in range(len(places))], width


def _draw_bars(axis: Axes, series: Series, x: FloatArray, width: float, style: _Style) -> Any:
    """Draw bars and return what stands for them in the legend."""
    y = _numbers(series.y)
    handle = axis.bar(x, y, width, color=style.colour)
    if series.low:
        reach = np.abs(np.stack([_numbers(series.low), _numbers(series.high)]) - y)
        axis.errorbar(x, y, reach, fmt="none", ecolor="#333333", capsize=3)
    _draw_labels(axis, series, x)
    return handle


def _draw_points(axis: Axes, series: Series, x: FloatArray, style: _Style) -> Any:
    """Draw a line or points and return what stands for them in the legend."""
    y = _numbers(series.y)
    line = series.kind == "line"
    if series.low:
        low, high = _numbers(series.low), _numbers(series.high)
        if line:
            axis.fill_between(x, low, high, color=style.colour, alpha=0.18, linewidth=0)
        else:
            reach = np.abs(np.stack([low, high]) - y)
            axis.errorbar(x, y, reach, fmt="none", ecolor=style.colour, capsize=3)
    (handle,) = axis.plot(
        x,
        y,
        color=style.colour,
        linestyle=style.dash if line else "none",
        marker=style.marker if not line or len(x) <= FEW_POINTS else "none",
        markersize=4 if line else 6,
    )
    _draw_labels(axis, series, x)
    return handle


def _draw_labels(axis: Axes, series: Series, x: FloatArray) -> None:
    for text, place, value in zip(series.labels, x, series.y, strict=bool(series.labels)):
        if text and value is not None:
            axis.annotate(
                _literal(text),
                (place, value),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=8,
            )


def _draw_mark(axis: Axes, mark: Mark) -> None:
    axis.axvline(mark.x, color="#888888", linestyle=(0, (4, 3)), linewidth=0.9)
    axis.annotate(
        _literal(mark.label),
        (mark.x, 1.0),
        xycoords=axis.get_xaxis_transform(),
        xytext=(2, 2),
        textcoords="offset points",
        fontsize=7,
        color="#555555",
    )


def _draw_legend(axis: Axes, handles: list[Any], series: Sequence[Series]) -> None:
    if len(series) < 2:  # noqa: PLR2004 - the title says what one line is
        return
    names = [_literal(one.name) for one in series]
    if len(series) <= INSIDE:
        axis.legend(handles, names, fontsize=8, framealpha=0.85)
    else:
        axis.legend(
            handles,
            names,
            fontsize=8,
            frameon=False,
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
        )


def _literal(text: str) -> str:
    """Return `text` so that none of it is taken for a formula."""
    return text.replace("$", r"\$")
