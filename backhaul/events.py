"""Events of a running campaign, for listeners in the same process.

Stages and flows call `emit`; a command that shows them calls `listening`. Without a listener,
as on a worker, `emit` does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Place:
    """Where in a campaign something happens.

    Args:
        method: Label of the method; empty for what all methods share.
        batch: Number of the batch; None outside of the rounds.
    """

    method: str = ""
    batch: int | None = None

    def __str__(self) -> str:
        method = self.method or ("initial model" if self.batch is None else "all methods")
        return method if self.batch is None else f"{method} batch {self.batch}"


NOWHERE = Place()
"""Outside of all methods and batches: the preparations, and the initial model."""


@dataclass(frozen=True)
class Planned:
    """What will be played.

    Args:
        name: Name of the run.
        methods: Labels of the methods.
        batches: Numbers of the batches.
    """

    name: str
    methods: tuple[str, ...]
    batches: tuple[int, ...]


@dataclass(frozen=True)
class Entered:
    """The outermost flow run of this process began; its id in Prefect."""

    flow_run: str


@dataclass(frozen=True)
class Doing:
    """Activity of the whole command, for example starting a server."""

    what: str


@dataclass(frozen=True)
class RoundBegan:
    """A method began with a batch, or the initial training began."""


@dataclass(frozen=True)
class StageBegan:
    """A stage was called; it may turn out to be cached."""

    stage: str


@dataclass(frozen=True)
class StageEnded:
    """A stage has a result."""

    stage: str
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Progressed:
    """Progress of a long activity."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Epoch:
    """An epoch of a training is over.

    Args:
        done: How many epochs this training has behind it.
        most: How many it has at most.
        train_loss: Mean loss over the epoch.
        valid_loss: Loss on the validation set; None where the epoch was not validated.
    """

    done: int
    most: int
    train_loss: float
    valid_loss: float | None


@dataclass(frozen=True)
class ImagesSent:
    """What a method sends of a batch, as numbers of images and bytes."""

    images: int
    of_images: int
    n_bytes: int


@dataclass(frozen=True)
class RoundEnded:
    """A round is over.

    Args:
        score: mAP50 on the common test set; None if it was not measured there.
        cached: Whether every stage of it came from the cache.
    """

    score: float | None
    cached: bool


@dataclass(frozen=True)
class Elsewhere:
    """State of a method that runs on a worker."""

    state: str


@dataclass(frozen=True)
class MethodEnded:
    """A method is over, or waits for labels."""

    state: Literal["running", "completed", "failed", "waiting"]


@dataclass(frozen=True)
class Warned:
    """A warning or an error was logged, here as one line."""

    level: Literal["warning", "error"]
    text: str


Event: TypeAlias = (
    Planned
    | Entered
    | Doing
    | RoundBegan
    | StageBegan
    | StageEnded
    | Progressed
    | Epoch
    | ImagesSent
    | RoundEnded
    | Elsewhere
    | MethodEnded
    | Warned
)


@dataclass(frozen=True)
class Happening:
    """An event, with its place and its time.

    Args:
        event: What happened.
        place: Where in the campaign.
        at: When, in seconds since 1970.
    """

    event: Event
    place: Place = NOWHERE
    at: float = field(default_factory=time.time)


Sink: TypeAlias = Callable[[Happening], None]
"""Called with everything that happens, from several threads at once."""

_sink: ContextVar[Sink | None] = ContextVar("sink", default=None)
_place: ContextVar[Place] = ContextVar("place", default=NOWHERE)


def emit(event: Event) -> None:
    """Send an event to all listeners, with the current place and time."""
    if (sink := _sink.get()) is not None:
        sink(Happening(event, _place.get()))


def is_heard() -> bool:
    """Return whether there is a listener, for events that are expensive to make."""
    return _sink.get() is not None


@contextmanager
def listening(sink: Sink) -> Iterator[None]:
    """Call `sink` with each event within the block, also in copies of its context."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


@contextmanager
def within(method: str, batch: int | None = None) -> Iterator[None]:
    """Set the place of the events within the block."""
    token = _place.set(Place(method, batch))
    try:
        yield
    finally:
        _place.reset(token)
