"""What is wrong with nodes by the windows that they told in the last day."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pandas as pd

from backhaul.fleet.problems import Problem
from backhaul.inbox.numbered import first_free
from backhaul.inbox.reference import ENOUGH_OBJECTS, Reference, drift, references_of
from backhaul.inbox.summary import TENTHS, Summary
from backhaul.inbox.windows import read_entry
from backhaul.nodelayout import windows_entry
from backhaul.storage.imagefiles import TRANSFERS

DAY_S = 86_400.0
MOST_BYTES = 64 * 2**20
"""Of summaries that are read, of all nodes: with a kilobyte each, those of a day of 450 nodes,
where a window is ten minutes."""
MOST_WINDOWS = 1_500
"""Of one node that are looked at: those of a day, where a window is a minute."""
MANY = 0.9
"""Share of the frames of a day that a gate closes on, from which on the camera is at fault."""
SOME = 0.1
"""Share of the frames of a day that could not be looked at, from which on it is told."""
ENOUGH_FRAMES = 50
_GATES = ("dark", "blurred", "still")


@dataclass(frozen=True, slots=True)
class Moved:
    """How far what a node sees has moved since its first windows.

    Args:
        what: ``confidences`` or ``classes``.
        index: Population stability index; NaN where there is nothing to compare.
        by_chance: About how far chance alone moves it.
    """

    what: str
    index: float
    by_chance: float

    def __str__(self) -> str:
        return f"PSI {self.index:.2f}"


def recent_windows(root: str, now_s: float) -> dict[str, list[Summary]]:
    """Return what nodes told in the last day, by node: of windows that were taken in.

    Args:
        root: Root of the store.
        now_s: The time, seconds since 1970.
    """
    free = first_free(lambda number: windows_entry(root, number))
    since = datetime.fromtimestamp(now_s - DAY_S, UTC)
    return {node: [*told] for node, told in _told_since(root, free, since).items()}


def last_windows(root: str) -> list[Summary]:
    """Return what nodes told in the two days before the last window was taken in.

    Args:
        root: Root of the store.
    """
    free = first_free(lambda number: windows_entry(root, number))
    if (newest := read_entry(root, free - 1)) is None:
        return []
    since = newest["arrived"].max() - timedelta(days=2)
    return [each for told in _told_since(root, free, since).values() for each in told]


def _told_since(root: str, free: int, since: datetime) -> dict[str, deque[Summary]]:
    """Return the windows that were taken in since, the last `MOST_WINDOWS` of each node.

    However often windows are taken in, entries are read from the last one back, some at once,
    until they have `MOST_BYTES`, or all of some are earlier. A node that tells without end
    fills no memory.

    Args:
        root: Root of the store.
        free: Number of the entry after the last one.
        since: When the first of them may have been taken in.
    """
    found: defaultdict[str, deque[Summary]] = defaultdict(deque)
    n_bytes = 0
    with ThreadPoolExecutor(TRANSFERS) as threads:
        for end in range(free, 1, -TRANSFERS):
            numbers = range(end - 1, max(end - TRANSFERS, 1) - 1, -1)
            tables = threads.map(partial(read_entry, root), numbers)
            later = [t[t["arrived"] >= since] for t in tables if t is not None]
            for table in later:
                _add(found, table)
                n_bytes += int(table["summary"].str.len().sum())
            if n_bytes >= MOST_BYTES or not any(map(len, later)):
                break
    return found


def _add(found: defaultdict[str, deque[Summary]], table: pd.DataFrame) -> None:
    """Add windows of an entry before later ones, where there are few of their node."""
    for row in table.iloc[::-1].itertuples():
        if len(told := found[str(row.node)]) < MOST_WINDOWS:
            told.appendleft(Summary.model_validate_json(str(row.summary)))


def problems_of_windows(
    root: str,
    windows: Mapping[str, Sequence[Summary]],
    most_drift: float,
    day_bytes: int | None,
) -> list[Problem]:
    """Return what is wrong with nodes by what they told in a day.

    Args:
        root: Root of the store, which knows what nodes saw at first.
        windows: The windows, by node.
        most_drift: See `drifted`.
        day_bytes: Most bytes that a node may send; None = no limit.
    """

    def of(node: str) -> list[Problem]:
        told = windows[node]
        words = [*_of_counts(told), *_over(told, day_bytes)]
        words += drifted(told, references_of(root, node), most_drift)
        return [Problem(node, kind, text) for kind, text in words]

    with ThreadPoolExecutor(TRANSFERS) as threads:
        return [problem for found in threads.map(of, sorted(windows)) for problem in found]


def drifted(
    told: Sequence[Summary], references: Mapping[str, Reference], most_drift: float
) -> Iterator[tuple[str, str]]:
    """Yield kind and text where what a node sees has moved since its first windows.

    Chance alone moves the index of two histograms by about (bins - 1) (1 / n + 1 / m): that
    is allowed beside `most_drift`.

    Args:
        told: Windows of the node.
        references: What it saw at first, by model.
        most_drift: Index of confidences or classes that is no drift yet.
    """
    for moved in moves(told, references):
        if moved.index > most_drift + moved.by_chance:
            what = moved.what
            yield f"drift of {what}", f"{what} of the objects seen have moved: {moved}"


def moves(told: Sequence[Summary], references: Mapping[str, Reference]) -> tuple[Moved, ...]:
    """Return how far confidences and classes have moved; none where too little was seen.

    Args:
        told: Windows of a node; those of its last model count.
        references: What it saw at first, by model.
    """
    if not told:
        return ()
    model = max(told, key=lambda each: each.number).model
    reference = references.get(model)
    if reference is None or not reference.is_complete:
        return ()
    later = [s for s in told if s.model == model and s.number not in reference.windows]
    n, m = sum(sum(each.confidence) for each in later), sum(reference.confidence)
    if n < ENOUGH_OBJECTS or not m:
        return ()
    names = {*reference.classes, *(name for each in later for name in each.classes)}
    confidence, classes = drift(later, reference)
    return (
        Moved("confidences", confidence, (TENTHS - 1) * (1 / n + 1 / m)),
        Moved("classes", classes, (len(names) - 1) * (1 / n + 1 / m)),
    )


def _of_counts(told: Sequence[Summary]) -> Iterator[tuple[str, str]]:
    counts, seen = Counter[str](), sum(each.seen for each in told)
    for each in told:
        counts.update(each.counts)
    if seen < ENOUGH_FRAMES:
        return
    for gate in _GATES:
        if counts[gate] > MANY * seen:
            yield "camera", f"{counts[gate] / seen:.0%} of the frames of a day are {gate}"
    unseen = counts["failed"] + counts["unreadable"]
    if unseen > SOME * seen:
        yield "looks", f"{unseen / seen:.0%} of the frames of a day could not be looked at"


def _over(told: Sequence[Summary], day_bytes: int | None) -> Iterator[tuple[str, str]]:
    # By the days of the node's clock: after an outage, windows of many days come at once.
    days = Counter[int]()
    for each in told:
        days[int(each.began_s // DAY_S)] += each.up_bytes
    most = max(days.values(), default=0)
    if day_bytes is not None and most > day_bytes:
        yield "budget", f"sent {most:,} bytes in a day, expected at most {day_bytes:,}"
