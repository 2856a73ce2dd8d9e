"""The models of a run on its page: versions, what each cost, and when what was decided why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from backhaul.registry.cards import Card, Measure
from backhaul.registry.log import Entry
from backhaul.registry.overview import Registry
from backhaul.registrylayout import card_page_name
from backhaul.report.cells import Cell, Table
from backhaul.report.plot import NEUTRAL, PALETTE, Figure, Trace, axes
from backhaul.report.wording import HOUR_S, NONE, count, duration, number, size

FIGURE = "models-gain"
HEIGHT_PX = 340
MOST_ENTRIES = 300
"""Rows of the timeline: the last ones."""
_TIMELINE = ("when (UTC)", "what", "version", "by", "why", "by what figures")
_VERSIONS = (
    *("version", "is", "made by", "mAP50", "gain", "images sent", "bytes sent", "labelling"),
    *("decided by", "why"),
)
_WORDS = {
    "candidate": "candidate made",
    "awaiting": "asks for approval",
    "canary": "canary on the first nodes",
    "published": "published for all",
    "promoted": "promoted",
    "rolled-back": "rolled back",
    "triggered": "round triggered",
}


def timeline_table(registry: Registry) -> Table:
    """Return what was decided of a run's models, the last decision first."""
    return Table(
        _TIMELINE, tuple(_told(each) for each in registry.entries[: -MOST_ENTRIES - 1 : -1])
    )


def versions_table(registry: Registry) -> Table:
    """Return a row for each version, the last one first; it leads to the page of its card."""
    cards = reversed(registry.cards.values())
    return Table(_VERSIONS, tuple(_row(registry, card) for card in cards))


def log_table(registry: Registry, version: int) -> Table:
    """Return what became of one version, in order."""
    rows = (_told(entry) for entry in registry.of(version))
    at = _TIMELINE.index("version")
    head = (*_TIMELINE[:at], *_TIMELINE[at + 1 :])
    return Table(head, tuple((*row[:at], *row[at + 1 :]) for row in rows))


def measures_table(card: Card) -> Table:
    """Return what a version was measured to reach, with intervals."""
    rows = tuple(
        (
            Cell(name, words=True),
            Cell(_figure(each.value)),
            Cell(interval(each)),
            Cell(NONE if each.n is None else count(each.n)),
        )
        for name, each in card.measures.items()
    )
    return Table(("figure", "value", "95 % interval", "measured on"), rows)


def rules_table(card: Card) -> Table:
    """Return what each rule of the gate found."""
    rows = tuple(
        (
            Cell(rule.rule, words=True),
            Cell("kept" if rule.passed else "broken", words=True),
            Cell(rule.text, words=True),
        )
        for rule in card.rules
    )
    return Table(("rule", "is", "found"), rows)


def interval(measure: Measure) -> str:
    """Return the interval of a figure in words."""
    if measure.low is None or measure.high is None:
        return NONE
    return f"{number(measure.low)} to {number(measure.high)}"


def gain_figure(registry: Registry) -> Figure | None:
    """Draw mAP50 of all versions against the bytes sent for them; None of fewer than two.

    Args:
        registry: The versions; those that were rejected or rolled back are hollow.
    """
    known = [card for card in registry.cards.values() if card.figure("mAP50") is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line
        return None
    lost = {"rejected", "rolled-back"}
    kept = [registry.history.states.get(card.version) not in lost for card in known]
    measures = [card.measures["mAP50"] for card in known]
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "mAP50 on the common set",
        "x": [card.bytes_sent for card in known],
        "y": [each.value for each in measures],
        "text": [f"version {card.version}: {registry.state(card.version)}" for card in known],
        "line": {"color": NEUTRAL, "width": 1, "dash": "dot"},
        "marker": {
            "color": PALETTE[0],
            "size": 9,
            "symbol": ["circle" if each else "circle-open" for each in kept],
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(each.value, each.high) for each in measures],
            "arrayminus": [_reach(each.low, each.value) for each in measures],
        },
    }
    layout = axes("bytes sent", "mAP50", height=HEIGHT_PX)
    layout["yaxis"]["rangemode"] = "normal"
    if not registry.labour_s:
        return {"data": [points], "layout": layout}
    layout["showlegend"] = True
    layout["yaxis2"] = {
        "title": {"text": "labelling, hours"},
        "overlaying": "y",
        "side": "right",
        "rangemode": "tozero",
        "showgrid": False,
    }
    layout["margin"] = {**layout["margin"], "r": 56}
    return {"data": [points, _labour(registry, known)], "layout": layout}


def _labour(registry: Registry, cards: Sequence[Card]) -> Trace:
    """Return the line of the hours that annotators took for each version."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "labelling time so far",
        "yaxis": "y2",
        "x": [card.bytes_sent for card in cards],
        "y": [registry.labour_s[card.version] / HOUR_S for card in cards],
        "line": {"color": PALETTE[1], "width": 2},
        "marker": {"color": PALETTE[1], "size": 5},
    }


def _reach(low: float | None, high: float | None) -> float:
    return 0.0 if low is None or high is None else max(0.0, high - low)


def _told(entry: Entry) -> tuple[Cell, ...]:
    figures = ", ".join(f"{name} {_value(each)}" for name, each in entry.values.items())
    version = NONE if entry.version is None else str(entry.version)
    href = "" if entry.version is None else card_page_name(entry.version)
    return (
        Cell(f"{datetime.fromtimestamp(entry.at_s, UTC):%Y-%m-%d %H:%M:%S}", words=True),
        Cell(_WORDS.get(entry.kind, entry.kind), words=True),
        Cell(version, words=True, href=href),
        Cell(entry.by or NONE, words=True),
        Cell(entry.reason or NONE, words=True),
        Cell(figures or NONE, words=True),
    )


def _row(registry: Registry, card: Card) -> tuple[Cell, ...]:
    verdict = registry.verdict(card.version)
    gain, labour_s = card.measures.get("gain"), registry.labour_s.get(card.version)
    words = NONE if gain is None else f"{_figure(gain.value)} ({interval(gain)})"
    return (
        Cell(str(card.version), words=True, href=card_page_name(card.version)),
        Cell(registry.state(card.version), words=True),
        Cell(card.made_by, words=True),
        Cell(_figure(card.figure("mAP50"))),
        Cell(words),
        Cell(count(card.images_sent)),
        Cell(size(card.bytes_sent)),
        Cell(NONE if labour_s is None else duration(labour_s)),
        Cell(NONE if verdict is None else verdict.by, words=True),
        Cell(NONE if verdict is None else verdict.reason or NONE, words=True),
    )


def _figure(value: float | None) -> str:
    return NONE if value is None or math.isnan(value) else number(value)


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
