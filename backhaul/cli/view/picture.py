"""State of a campaign, built from the events so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from backhaul.events import (
    Doing,
    Elsewhere,
    Epoch,
    Happening,
    ImagesSent,
    MethodEnded,
    Place,
    Planned,
    Progressed,
    RoundBegan,
    RoundEnded,
    StageBegan,
    StageEnded,
    Warned,
)

CellState: TypeAlias = Literal["to come", "running", "done", "cached", "failed", "waiting"]
KEPT = 5
"""Warnings that are kept; older ones are only counted."""
TRAININGS = ("training", "trial")
"""Stages that tell of their epochs, which say more than how many of them are over."""


@dataclass
class Activity:
    """A running stage and its progress.

    Args:
        stage: Name of the stage.
        began: When it was called.
        detail: More about it, in words.
        done: How much of it is done.
        total: How much there is; 0 = unknown.
        ended: When it ended; None while it runs.
        what: What a flow does itself, where this is no stage.
    """

    stage: str
    began: float
    detail: str = ""
    done: int = 0
    total: int = 0
    ended: float | None = None
    what: str = ""
    _first: tuple[float, int] | None = None
    _last: float = 0.0

    def advance(self, done: int, total: int, at: float) -> None:
        """Update the progress.

        Args:
            done: How much is done.
            total: How much there is; 0 = unknown.
            at: Time of the report, in seconds since 1970.
        """
        if self._first is None or done < self._first[1]:
            self._first = (at, done)
        self.done, self.total, self._last = done, total, at

    def left_s(self, now: float) -> float | None:
        """Return the remaining seconds at the pace so far; None if unknown."""
        if self._first is None or not 0 < self.done < self.total:
            return None
        since, before = self._first
        if self.done == before:  # what came before the first one is no measure of the others
            return None
        pace = (self._last - since) / (self.done - before)
        return max(pace * (self.total - self.done) - (now - self._last), 0.0)


@dataclass
class Cell:
    """One round: its state, its score, and what was sent in it."""

    state: CellState = "to come"
    score: float | None = None
    sent: ImagesSent | None = None


@dataclass
class Row:
    """A method, or the initial model, whose only round has the number None."""

    cells: dict[int | None, Cell] = field(default_factory=dict)
    elsewhere: str = ""

    def cell(self, batch: int | None) -> Cell:
        """Return the cell of a batch, new if there is none."""
        return self.cells.setdefault(batch, Cell())

    @property
    def score(self) -> float | None:
        """The score of the last round that has one."""
        scores = [cell.score for cell in self.cells.values() if cell.score is not None]
        return scores[-1] if scores else None

    @property
    def images(self) -> int:
        """How many images were sent in all."""
        return sum(cell.sent.images for cell in self.cells.values() if cell.sent is not None)

    @property
    def n_bytes(self) -> int:
        """How many bytes were sent in all."""
        return sum(cell.sent.n_bytes for cell in self.cells.values() if cell.sent is not None)


class Picture:
    """State that a view shows; `take` updates it."""

    def __init__(self, name: str, doing: str = "") -> None:
        self.name = name
        self.doing = doing
        self.batches: tuple[int, ...] = ()
        self.initial = Row()
        self.methods: dict[str, Row] = {}
        self.activities: dict[Place, Activity] = {}
        self.warnings: deque[tuple[float, Warned]] = deque(maxlen=KEPT)
        self.n_warnings = 0

    @property
    def rounds(self) -> tuple[int, int]:
        """How many rounds are over, and how many there are, the initial one included."""
        rows = [self.initial, *self.methods.values()]
        cells = [cell for row in rows for cell in row.cells.values()]
        return sum(cell.state in ("done", "cached") for cell in cells), len(cells)

    def row(self, place: Place) -> Row:
        """Return the row of a place; events without a method belong to the initial model."""
        return self.methods.get(place.method, self.initial)

    def take(self, happening: Happening) -> None:
        """Update the state with an event."""
        place, at = happening.place, happening.at
        match happening.event:
            case Planned() as plan:
                self._plan(plan)
            case Doing(what):
                self.doing = what
            case Warned() as warned:
                self.warnings.append((at, warned))
                self.n_warnings += 1
            case StageBegan() | StageEnded() | Progressed() | Epoch() as event:
                self._follow(event, place, at)
            case event:
                self._note(event, place)

    def _plan(self, plan: Planned) -> None:
        if plan.name != self.name:  # the next seed
            self.initial, self.methods, self.activities = Row(), {}, {}
        self.name, self.batches = plan.name, plan.batches
        self.initial.cell(None)
        self.methods = {label: self.methods.get(label, Row()) for label in plan.methods}
        for row in self.methods.values():
            row.cells = {n: c for n, c in row.cells.items() if c.state != "to come"}
            for number in plan.batches:
                row.cell(number)

    def _follow(
        self, event: StageBegan | StageEnded | Progressed | Epoch, place: Place, at: float
    ) -> None:
        self.doing = ""
        if isinstance(event, StageBegan):
            self.activities[place] = Activity(event.stage, at)
            return
        activity = self.activities.setdefault(place, Activity("", at))
        match event:
            case StageEnded():
                activity.ended = at
            case Epoch(done, most, loss):
                activity.detail = f"epoch {done} of {most}, loss {loss:.2f}"
                activity.advance(done, most, at)
            case Progressed(what, done, total) if activity.stage not in TRAININGS:
                activity.detail = "" if total < 1 else f"{done} of {total}"
                activity.advance(done, total, at)
                if not activity.stage or activity.what:  # of a flow, outside of any stage
                    activity.stage = activity.what = what
                    activity.ended = at if done >= total else None

    def _note(self, event: object, place: Place) -> None:
        row = self.row(place)
        match event:
            case RoundBegan():
                row.cell(place.batch).state = "running"
            case ImagesSent() as sent:
                row.cell(place.batch).sent = sent
            case RoundEnded(score, cached):
                cell = row.cell(place.batch)
                cell.state, cell.score = "cached" if cached else "done", score
                self.activities.pop(place, None)
            case Elsewhere(state):
                row.elsewhere = state
            case MethodEnded(state):
                self._end(row, place.method, state)

    def _end(self, row: Row, method: str, state: str) -> None:
        row.elsewhere = ""
        for place in [p for p in self.activities if p.method == method]:
            del self.activities[place]
        open_ones = [
            cell for cell in row.cells.values() if cell.state in ("to come", "running")
        ]
        if state == "completed":  # on a worker, of whose rounds nothing was heard
            for cell in open_ones:
                cell.state = "done"
        elif open_ones:
            open_ones[0].state = "waiting" if state == "waiting" else "failed"
