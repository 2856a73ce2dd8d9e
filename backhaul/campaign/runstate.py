"""Progress of a run whose images arrive hour by hour."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.layout import RunFiles
from backhaul.storage.conditional import create, read_or_none, swap
from backhaul.values.artifacts import Artifact


class RunState(BaseModel):
    """Progress of a run; its size does not grow with the number of finished batches.

    Args:
        log: Number of the last entry of the inbox's log that was taken in.
        formed: Batches formed so far.
        waiting: Rows of the images that wait for their batch to be full.
        batches: Rows of the batches that a method still has to play, by number.
        played: Batches that each method has behind it, by label.
        windows: Number of the last entry of the nodes' windows that belongs to a batch.
        told: Rows of the windows that belong to those batches, by number.
        triggered: Batches that triggers have let be played, from the first on; None = all that
            are formed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    log: int = 0
    formed: int = 0
    waiting: Artifact | None = None
    batches: dict[int, Artifact] = {}
    played: dict[str, int] = {}
    windows: int = 0
    told: dict[int, Artifact] = {}
    triggered: int | None = None

    @property
    def playable(self) -> int:
        """How many batches may be played, from the first on."""
        return self.formed if self.triggered is None else min(self.triggered, self.formed)

    def pending(self, label: str) -> range:
        """Return the numbers of the batches that a method may play and has not finished yet."""
        return range(self.played.get(label, 0), self.playable)

    def after(self, label: str, number: int, labels: tuple[str, ...]) -> RunState:
        """Return the state after one of the methods has finished batch `number`.

        Args:
            label: Label of the method.
            number: Number of the batch, from 0.
            labels: Labels of all methods of the run.
        """
        played = {**self.played, label: max(number + 1, self.played.get(label, 0))}
        behind_all = min(played.get(each, 0) for each in labels)
        left = {n: rows for n, rows in self.batches.items() if n >= behind_all}
        told = {n: rows for n, rows in self.told.items() if n >= behind_all}
        return self.model_copy(update={"played": played, "batches": left, "told": told})


STATE = RecordType("state", RunState)


def read_state(files: RunFiles) -> RunState:
    """Return the progress of a run."""
    return STATE.read(files.state) or RunState()


def advance(files: RunFiles, change: Callable[[RunState], RunState]) -> RunState:
    """Change the state of a run by a conditional put, and return it.

    If another process has changed it first, `change` is called again with the new state.
    """
    place = files.state
    while True:
        content = read_or_none(place)
        old = RunState() if content is None else STATE.decode(content, place)
        new = change(old)
        if new == old:
            return old
        data = STATE.encode(new, files.root)
        if create(place, data) if content is None else swap(place, content, data):
            return new
