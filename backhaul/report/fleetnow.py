"""The nodes whose choice a run goes by, as they told last."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backhaul.campaign.finding import Chart, Series
from backhaul.campaign.run import Run
from backhaul.fleet.nodes import NodeView
from backhaul.fleet.problems import Problem, in_words
from backhaul.fleet.watching import Watch, problems_now, watched
from backhaul.fleet.windows import last_windows
from backhaul.inbox.summary import Summary
from backhaul.report.cells import Cell, Table
from backhaul.report.findings import chart_figure
from backhaul.report.plot import Figure
from backhaul.report.wording import NONE, count, number, plural, shortened, size

MOST_NODES = 200
"""Rows of nodes in the table; all others are summed in one."""
MOST_HOURS = 72
"""Hours in the plot: the last ones."""
FIGURE = "fleet-frames"
HOUR_S = 3_600
_HEAD = (
    *("node", "last heard", "model", "policy", "seen", "chosen", "sent", "waiting"),
    *("over the wire, up", "sent of seen", "bytes a frame sent", "problems"),
)
_LETTERS = 40


@dataclass(frozen=True, slots=True)
class Fleet:
    """The nodes.

    Args:
        nodes: As they told last, by name.
        problems: What is wrong.
        windows: What they told last that was taken in.
        at_s: When that was so, seconds since 1970.
    """

    nodes: tuple[NodeView, ...]
    problems: tuple[Problem, ...]
    windows: tuple[Summary, ...]
    at_s: float

    @property
    def moment(self) -> str:
        """When that was so."""
        return f"{datetime.fromtimestamp(self.at_s, UTC):%Y-%m-%d %H:%M} UTC"


def fleet_of(root: str, runs: Sequence[Run]) -> Fleet | None:
    """Return the nodes of a store, if an arm of the runs goes by what nodes chose.

    Args:
        root: Root of the store.
        runs: The runs.
    """
    arms = [arm for run in runs for arm in run.config.get("methods", ())]
    if not any(isinstance(arm, dict) and arm.get("kind") == "arrived" for arm in arms):
        return None
    watch, now_s = Watch(), time.time()
    nodes, told = watched(root, watch, now_s)
    problems = problems_now(root, watch, nodes, told, now_s)
    return Fleet(tuple(nodes), tuple(problems), tuple(last_windows(root)), now_s)


def fleet_table(fleet: Fleet | None) -> Table:
    """Return a row for each node, those with problems first; of very many, the rest summed."""
    if fleet is None:
        return Table(_HEAD, ())
    texts = defaultdict[str, list[str]](list)
    for each in fleet.problems:
        texts[each.subject].append(each.text)
    ordered = sorted(fleet.nodes, key=lambda view: (view.name not in texts, view.name))
    shown, others = ordered[:MOST_NODES], ordered[MOST_NODES:]
    rows = [
        (
            Cell(view.name, words=True),
            Cell(in_words(max(fleet.at_s - view.told_s, 0))),
            *_of_status(view),
            *_numbers([view]),
            Cell("; ".join(texts.get(view.name, ())), words=True),
        )
        for view in shown
    ]
    if others:
        words = [Cell(NONE, words=True)] * 2
        troubled = sum(view.name in texts for view in others)
        last = (Cell(plural(troubled, "node") if troubled else "", words=True),)
        name = Cell(f"{plural(len(others), 'node')} more", words=True)
        rows.append((name, Cell(NONE), *words, *_numbers(others), *last))
    return Table(_HEAD, tuple(rows))


def fleet_figure(fleet: Fleet | None) -> Figure | None:
    """Return what was seen, chosen and sent by the hour; None if no window was taken in.

    Windows of clocks that are ahead are left out: their hours would take the place of all.
    """
    if fleet is None:
        return None
    windows = [each for each in fleet.windows if each.began_s <= fleet.at_s + HOUR_S]
    if not windows:
        return None
    counts = {name: Counter[int]() for name in ("seen", "chosen", "sent")}
    for each in windows:
        for name, by_hour in counts.items():
            by_hour[int(each.began_s // HOUR_S)] += getattr(each, name)
    hours = sorted({hour for by_hour in counts.values() for hour in by_hour})[-MOST_HOURS:]
    moments = tuple(_moment(hour) for hour in hours)
    series = tuple(
        Series(name=name, x=moments, y=tuple(float(by_hour[hour]) for hour in hours))
        for name, by_hour in counts.items()
    )
    chart = Chart(
        title="Frames by hour, all nodes",
        x_title="beginning of the window, by the nodes' clocks",
        y_title="frames",
        series=series,
    )
    return chart_figure(chart, {})


def _of_status(view: NodeView) -> tuple[Cell, Cell]:
    status = view.status
    if status is None:
        return Cell(NONE, words=True), Cell(NONE, words=True)
    policies = shortened(", ".join(status.policies), _LETTERS)
    return Cell(status.model[:12], words=True), Cell(policies, words=True)


def _numbers(views: Sequence[NodeView]) -> tuple[Cell, ...]:
    known = [view.status for view in views if view.status is not None]
    if not known:
        return (Cell(NONE),) * 7
    totals = Counter[str]()
    for status in known:
        totals.update(status.totals)
    seen, sent, up = totals["seen"], totals["sent"], totals["up_bytes"]
    return (
        *(Cell(count(totals[name])) for name in ("seen", "chosen", "sent")),
        Cell(count(sum(status.waiting for status in known))),
        Cell(size(up)),
        Cell(number(sent / seen) if seen else NONE),
        Cell(size(up / sent) if sent else NONE),
    )


def _moment(hour: int) -> str:
    try:
        return f"{datetime.fromtimestamp(hour * HOUR_S, UTC):%Y-%m-%d %H:00}"
    except (OverflowError, ValueError, OSError):  # a clock of a node's
        return str(hour)
