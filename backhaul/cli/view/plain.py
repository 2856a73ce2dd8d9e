"""A view of short lines, one for each decision: for a log, a pipe, or who prefers them."""

from __future__ import annotations

import time
from threading import Lock
from typing import TextIO

from backhaul.cli.view.wording import counted, duration, scored, size
from backhaul.events import (
    NOWHERE,
    Elsewhere,
    Epoch,
    Happening,
    ImagesSent,
    Place,
    Planned,
    Progressed,
    RoundEnded,
    StageBegan,
    StageEnded,
    Warned,
)

EVERY_S = 30.0
"""Seconds between two progress lines of the same place."""


class PlainView:
    """Writes a line for each decision, and progress lines at intervals.

    Args:
        stream: Where to write.
        every_s: Seconds between two lines on how far one thing is.
    """

    def __init__(self, stream: TextIO, every_s: float = EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._lock = Lock()
        self._is_closed = False
        self._said: dict[Place, float] = {}
        self._epochs: dict[Place, Epoch] = {}
        self._initial: float | None = None
        self._plan: Planned | None = None

    def open(self) -> None:
        """Begin; there is nothing to prepare."""

    def close(self) -> None:
        """Write nothing from here on."""
        with self._lock:
            self._is_closed = True

    def take(self, happening: Happening) -> None:
        """Write what happened, if it is worth a line."""
        with self._lock:
            text = self._line(happening)
            if text and not self._is_closed:
                self._said[happening.place] = happening.at
                clock = time.strftime("%H:%M:%S", time.localtime(happening.at))
                print(f"{clock}  {text}", file=self._stream, flush=True)

    def _line(self, happening: Happening) -> str:
        place, at = happening.place, happening.at
        match happening.event:
            case Planned() as plan:
                return self._planned(plan)
            case Warned(level, text):
                about = "" if place == NOWHERE else f"{place}: "
                return f"{level}: {about}{text}"
            case Elsewhere(state):
                return f"{place}: on a worker, {state}"
            case ImagesSent(images, of_images, n_bytes):
                return f"{place}: sent {images} of {of_images} images, {size(n_bytes)}"
            case RoundEnded(score, cached):
                return self._ended(place, score, cached)
            case event:
                text = self._paced(event, place, at)
                is_shared = isinstance(event, Progressed) and place == NOWHERE
                return f"{place}: {text}" if text and not is_shared else text

    def _paced(self, event: object, place: Place, at: float) -> str:
        """Return a line about a stage: the end of a training, or progress at intervals."""
        match event:
            case StageBegan():
                self._said[place] = at
            case Epoch() as epoch:
                self._epochs[place] = epoch
                if self._is_due(place, at):
                    return f"epoch {epoch.done} of {epoch.most}, loss {epoch.train_loss:.2f}"
            case Progressed(what, done, total) if done < total and "training" not in what:
                if self._is_due(place, at):
                    return f"{what.rpartition(': ')[2]}, {done} of {total}"
            case StageEnded("training" | "trial" as stage, seconds, False):
                what = "" if stage == "training" else "trial: "
                return what + _trained(self._epochs.pop(place, None), seconds)
        return ""

    def _is_due(self, place: Place, at: float) -> bool:
        return at - self._said.setdefault(place, at) >= self._every_s

    def _planned(self, plan: Planned) -> str:
        if plan == self._plan or not plan.batches:
            return ""
        if self._plan is None or plan.name != self._plan.name:
            self._initial = None
        self._plan = plan
        methods = counted(len(plan.methods), "method")
        batches = "batches" if len(plan.batches) > 1 else "batch"
        known = f" x {len(plan.batches)} {batches}" if plan.batches else ""
        return f"{plan.name}: {methods}{known}"

    def _ended(self, place: Place, score: float | None, cached: bool) -> str:
        if place == NOWHERE:
            shown, self._initial = scored(score, None), score
        else:
            shown = scored(score, self._initial)
        return f"{place}: mAP50 {shown}{', cached' if cached else ''}"


def _trained(last: Epoch | None, seconds: float) -> str:
    if last is None:  # it was over before this start
        return f"trained in {duration(seconds)}"
    valid = "" if last.valid_loss is None else f", validation {last.valid_loss:.2f}"
    epochs = counted(last.done, "epoch")
    return f"trained {epochs} in {duration(seconds)}, loss {last.train_loss:.2f}{valid}"
