"""A view of a campaign in a terminal that is drawn anew several times a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import RLock

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from backhaul.cli.view.grid import INITIAL, grid, legend
from backhaul.cli.view.picture import Activity, Picture
from backhaul.cli.view.wording import counted, duration, shortened
from backhaul.events import NOWHERE, Happening, Place, Planned

PER_SECOND = 4
LINGERS_S = 0.6
"""How long a stage that is over stays in sight: the next one mostly follows at once."""
SILENT_S = 3.0
"""After that long, a stage that cannot tell how far it is shows for how long it has run."""
BAR_FROM = 100
"""Columns of a terminal that has room for bars."""
BAR = 14
SHOWN_WARNINGS = 3
MOST_ACTIVITIES = 6
SPACES = 8
"""Rows of the head, of the line with the log, of the legend, and between all parts."""


class LiveView:
    """Shows the plan, what runs, scores and warnings; it leaves the screen when it closes.

    Args:
        picture: Where the campaign stands.
        log: File of the full log.
        console: The terminal.
    """

    def __init__(self, picture: Picture, log: Path, console: Console) -> None:
        self.picture = picture
        self._log = shortened(log)
        self._console = console
        self._lock = RLock()
        self._began = time.time()
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self.rendered,
            console=console,
            refresh_per_second=PER_SECOND,
            transient=True,
        )

    def open(self) -> None:
        """Begin to draw."""
        self._live.start()

    def close(self) -> None:
        """Leave the screen; warnings stay."""
        if not self._live.is_started:
            return
        self._live.stop()
        with self._lock:
            for line in _warnings(self.picture, len(self.picture.warnings)):
                self._console.print(line, soft_wrap=True)

    def take(self, happening: Happening) -> None:
        """Take in what happened; it is drawn with the next picture."""
        with self._lock:
            before = self.picture.name
            ended = self.picture.initial.score is not None and _summary(self.picture)
            self.picture.take(happening)
            if ended and isinstance(happening.event, Planned) and self.picture.name != before:
                self._console.print(ended, highlight=False, soft_wrap=True)

    def rendered(self) -> RenderableType:
        """Return the current content of the screen."""
        with self._lock:
            width, height = self._console.size
            ascii_only = self._console.options.ascii_only
            now = self._now(width)
            warnings = _warnings(self.picture, SHOWN_WARNINGS)
            parts: list[RenderableType] = [self._head()]
            if self.picture.methods:
                room = height - len(now) - len(warnings) - SPACES
                parts += ["", grid(self.picture, width, max(room, 4), ascii_only)]
                if marks := legend(self.picture, width, ascii_only):
                    parts.append(Text(marks, style="dim", no_wrap=True, overflow="ellipsis"))
            if now:
                parts += ["", _table(now, width)]
            if warnings:
                parts += ["", *warnings]
            log = Text(f"log: {self._log}", "dim", no_wrap=True, overflow="ellipsis")
            parts += ["", log]
            return Group(*parts)

    def _head(self) -> RenderableType:
        done, total = self.picture.rounds
        words = [self.picture.name, duration(time.time() - self._began)]
        if total > 1:
            words.append(f"{done} of {total} rounds")
        if self.picture.doing:
            words.append(self.picture.doing)
        self._spinner.update(text=Text("   ".join(words), "bold"))
        return self._spinner

    def _now(self, width: int) -> list[list[RenderableType]]:
        """Return the rows of running stages."""
        now = time.time()
        rows = [
            _row(self._name(place), activity, now, width)
            for place, activity in sorted(self.picture.activities.items(), key=_order)
            if activity.ended is None or now - activity.ended < LINGERS_S
        ]
        rows += [
            [Text(label), Text(f"on a worker: {row.elsewhere}", "cyan")]
            for label, row in ((INITIAL, self.picture.initial), *self.picture.methods.items())
            if row.elsewhere
        ]
        more = len(rows) - MOST_ACTIVITIES
        return rows if more <= 0 else [*rows[:-more], [Text(f"and {more} more", "dim")]]

    def _name(self, place: Place) -> str:
        """Return the name of a place; an analysis has no plan, and no initial model."""
        return (
            self.picture.name if place == NOWHERE and not self.picture.methods else str(place)
        )


def _order(item: tuple[Place, Activity]) -> tuple[str, int]:
    place = item[0]
    return place.method, -1 if place.batch is None else place.batch


def _row(name: str, activity: Activity, now: float, width: int) -> list[RenderableType]:
    left = activity.left_s(now)
    cells: list[RenderableType] = [Text(name), Text(activity.stage, "cyan")]
    if width >= BAR_FROM:
        known = activity.total > 0
        bar = ProgressBar(activity.total, activity.done, width=BAR) if known else ""
        cells.append(bar)
    detail, since = activity.detail, now - activity.began
    if not detail and since > SILENT_S:
        detail = f"for {duration(since)}"
    cells.append(Text(detail))
    cells.append(Text("" if left is None else f"{duration(left)} left"))
    return cells


def _table(rows: Sequence[Sequence[RenderableType]], width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for number in range(max(len(row) for row in rows)):
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=30 if number else 28)
    for row in rows:
        table.add_row(*row)
    return table


def _warnings(picture: Picture, most: int) -> list[Text]:
    """Return the last warnings, below a line that counts all."""
    if not picture.n_warnings:
        return []
    last = list(picture.warnings)[-most:]
    head = counted(picture.n_warnings, "warning")
    if picture.n_warnings > len(last):
        head += f", the last {len(last)}:"
    lines = [Text(head, "bold yellow")]
    for at, warned in last:
        style = "red" if warned.level == "error" else "yellow"
        clock = time.strftime("%H:%M:%S", time.localtime(at))
        text = Text(f"{clock}  {warned.level}: {warned.text}", style)
        text.no_wrap, text.overflow = True, "ellipsis"
        lines.append(text)
    return lines


def _summary(picture: Picture) -> str:
    """Return one line on a run that is over, for when the next one takes its place."""
    scores = {label: row.score for label, row in picture.methods.items()}
    known = {label: score for label, score in scores.items() if score is not None}
    if not known:
        return ""
    best = max(known, key=lambda label: known[label])
    return f"{picture.name}: best {best}, mAP50 {known[best]:.3f}"
