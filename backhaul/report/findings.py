"""Findings of analyses as charts and tables of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.campaign.finding import Chart, Finding, Series
from backhaul.campaign.run import Findings
from backhaul.report.cells import Cell, Table
from backhaul.report.plot import (
    PALETTE,
    Figure,
    Trace,
    axes,
    band,
    band_trace,
    boundary,
    legend_below,
    line_style,
    plain,
    values,
)
from backhaul.report.wording import NONE, plural

CHART_PX = 340
MANY_POINTS = 60  # more markers would hide the line they lie on
SHORT = 12  # longer tables are folded
MOST_ROWS = 500  # keeps the page small; the files have them all
MOST_BYTES = 4_000_000  # of one finding: more would make the page slow


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding on the page.

    Args:
        name: Stem of its files.
        title: What it shows.
        note: How to read it.
        charts: Title and id of the figure of each of its charts.
        table: Its table, the first rows of a long one.
        fold: What stands for the table while it is folded, empty if it is short.
    """

    name: str
    title: str
    note: str
    charts: tuple[tuple[str, str], ...]
    table: Table
    fold: str


def show_findings(
    findings: Findings, colours: Mapping[str, str], figures: dict[str, Figure]
) -> tuple[tuple[Shown, ...], tuple[str, ...]]:
    """Return the findings to show, and the problems of those that cannot be shown.

    Args:
        findings: The findings, by name.
        colours: Colours of the methods: a series that is named like one has its colour.
        figures: The figures of the page; those of the findings are added.
    """
    shown, problems = [], []
    for name, finding in findings.items():
        try:
            shown.append(_show(name, _showable(finding), colours, figures))
        except ValueError as error:
            problems.append(f"analysis/{name}.json: {error}")
    return tuple(shown), tuple(problems)


def _showable(finding: Finding | str) -> Finding:
    """Return a finding; a ValueError says in one line why it cannot be shown."""
    if isinstance(finding, str):
        raise ValueError(finding)  # noqa: TRY004 - it says what is wrong
    if len(finding.model_dump_json()) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES // 1_000_000} MB, too much for a page")
    return finding


def _show(
    name: str, finding: Finding, colours: Mapping[str, str], figures: dict[str, Figure]
) -> Shown:
    table = finding_table(finding)
    charts = tuple(
        (chart.title, f"finding-{name}-{i}") for i, chart in enumerate(finding.charts)
    )
    drawn = [chart_figure(chart, colours) for chart in finding.charts]
    figures.update(zip((key for _, key in charts), drawn, strict=True))
    n = len(finding.rows)
    first = f", the first {MOST_ROWS} of them" if n > MOST_ROWS else ""
    return Shown(
        name=name,
        title=finding.title,
        note=finding.note,
        charts=charts,
        table=table,
        fold=f"Table of {plural(n, 'row')}{first}" if n > SHORT else "",
    )


def finding_table(finding: Finding) -> Table:
    """Return the table of a finding, a long one cut; numbers to the right, words to the left.

    Raises:
        ValueError: If a row has more or fewer cells than there are columns.
    """
    if any(len(row) != len(finding.columns) for row in finding.rows):
        raise ValueError(f"rows: expected {len(finding.columns)} cells in each, one a column")
    words = [
        any(isinstance(row[i], str) for row in finding.rows)
        for i in range(len(finding.columns))
    ]
    rows = tuple(
        tuple(Cell(_cell(value), words=w) for value, w in zip(row, words, strict=True))
        for row in finding.rows[:MOST_ROWS]
    )
    return Table(finding.columns, rows)


def _cell(value: float | str | bool | None) -> str:
    match value:
        case None:
            return NONE
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}" if np.isfinite(value) else NONE
        case _:
            return str(value)


def chart_figure(chart: Chart, colours: Mapping[str, str]) -> Figure:
    """Return a chart as plotly.js takes it.

    Raises:
        ValueError: If the parts of a series differ in length.
    """
    categories = any(isinstance(x, str) for series in chart.series for x in series.x)
    shades = _shades(chart.series, colours)
    traces = [
        trace
        for i, series in enumerate(chart.series)
        for trace in _traces(series, i, shades[i], categories=categories)
    ]
    height = CHART_PX + (20 if chart.marks else 0)
    layout = axes(plain(chart.x_title), plain(chart.y_title), height=height) | legend_below(
        height, len(chart.series)
    )
    bars = any(series.kind == "bars" for series in chart.series)
    layout["yaxis"]["rangemode"] = "tozero" if bars else "normal"
    layout |= {"barmode": "group", "hovermode": "closest"}
    if categories:
        places = dict.fromkeys(str(x) for series in chart.series for x in series.x)
        order = {"categoryorder": "array", "categoryarray": list(places)}
        layout["xaxis"] |= {"type": "category"} | order
    marks = [boundary(mark.x, plain(mark.label)) for mark in chart.marks]
    layout |= {"shapes": [m[0] for m in marks], "annotations": [m[1] for m in marks]}
    return {"data": sorted(traces, key=lambda t: "fill" not in t), "layout": layout}


def _shades(series: Sequence[Series], colours: Mapping[str, str]) -> list[str]:
    """Return a colour for each series: that of its method, otherwise one that is not taken."""
    taken = {colours[one.name] for one in series if one.name in colours}
    free = [colour for colour in PALETTE if colour not in taken] or list(PALETTE)
    others = [one.name for one in series if one.name not in colours]
    more = {name: free[i % len(free)] for i, name in enumerate(dict.fromkeys(others))}
    return [colours.get(one.name) or more[one.name] for one in series]


def _traces(series: Series, i: int, colour: str, *, categories: bool) -> list[Trace]:
    """Return one series: its band, if it is a line with one, and itself."""
    lengths = {len(v) for v in (series.x, series.y)}
    lengths |= {len(v) for v in (series.low, series.high, series.labels) if v}
    if len(lengths) != 1 or bool(series.low) != bool(series.high):
        raise ValueError(f"series {series.name!r}: x, y, low, high, labels differ in length")
    name = plain(series.name)
    group = f"{i}: {name}"
    x: list[Any] = [plain(str(v)) for v in series.x] if categories else values(series.x)
    low, high = _numbers(series.low), _numbers(series.high)
    common = {"name": name, "legendgroup": group, "x": x, "y": values(series.y)}
    labels = {"text": [plain(word) for word in series.labels]} if series.labels else {}
    reach = {"error_y": _reach(_numbers(series.y), low, high)} if series.low else {}
    if series.kind == "bars":
        style = {"marker": {"color": colour}}
        return [{"type": "bar", **common, **style, **reach, **_text(labels, "outside")}]
    scatter = {"type": "scatter", **common, **line_style(series.name, i, colour)}
    if series.kind == "points":
        mode = "markers+text" if labels else "markers"
        return [{**scatter, "mode": mode, **reach, **_text(labels, "top center")}]
    marked = "lines+markers" if len(x) <= MANY_POINTS else "lines"
    line = {**scatter, "mode": f"{marked}+text" if labels else marked}
    bands = [band_trace(band(x, low, high), colour, group)] if series.low else []
    return [*bands, {**line, **_text(labels, "top center")}]


def _text(labels: Mapping[str, Any], position: str) -> dict[str, Any]:
    if not labels:
        return {}
    return {**labels, "textposition": position, "textfont": {"size": 10}, "cliponaxis": False}


def _numbers(edge: Sequence[float | None]) -> FloatArray:
    return np.array(edge, dtype=np.float64)  # None becomes NaN


def _reach(y: FloatArray, low: FloatArray, high: FloatArray) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": values(high - y),
        "arrayminus": values(y - low),
        "thickness": 1.2,
        "width": 4,
    }
