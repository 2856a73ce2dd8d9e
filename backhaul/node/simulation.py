"""A node in virtual time: the agent and journal of real nodes, with a virtual link and disk."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from backhaul.node.agent import Agent
from backhaul.node.container import DamagedFrameError, unpack
from backhaul.node.happenings import (
    Captured,
    Delivered,
    Effect,
    Event,
    Failed,
    FrameParcel,
    Gather,
    Gathered,
    Look,
    Looked,
    Offered,
    Parcel,
    Rekey,
    ReportParcel,
    Send,
    SidecarParcel,
    Woke,
)
from backhaul.node.outgoing import SIDECAR_BYTES, STATUS_BYTES
from backhaul.node.performing import Performer
from backhaul.node.recovery import open_journal, recover
from backhaul.node.sight import Sight
from backhaul.node.standing import Rules
from backhaul.node.steady import DAY_S, Now
from backhaul.node.trace import Trace
from backhaul.node.virtual import VirtualDisk, VirtualHome

BEGINS_S = 20_000.0 * DAY_S
"""The clocks of nodes at the beginning: a midnight in 2024."""


class Heap:
    """All that will happen to the nodes of a simulation, in order of time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.t = 0.0

    def at(self, t: float, call: Callable[[], None]) -> None:
        """Let something happen at a time."""
        heapq.heappush(self._heap, (max(t, self.t), next(self._order), call))

    def run(self, end_s: float) -> None:
        """Let everything happen until a time."""
        while self._heap and self._heap[0][0] <= end_s:
            self.t, _, call = heapq.heappop(self._heap)
            call()
        self.t = end_s


class Scenery(Protocol):
    """What the camera of a simulated node captures, and what its model sees in that."""

    def frames(self) -> Iterator[Captured]:
        """Yield the frames, in order of capture."""
        ...

    def sight(self, frame: Captured) -> Sight | None:
        """Return what is seen in a frame; None if it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on a link.

    Args:
        reset: Probability with which a transfer breaks off, after a random part of it.
        lost_answer: Probability with which home has a parcel and its answer is lost.
        stall_s: How long it takes to notice.
        answer_s: How long an answer takes.
    """

    reset: float = 0.0
    lost_answer: float = 0.0
    stall_s: float = 30.0
    answer_s: float = 0.0


@dataclass(eq=False)
class SimulatedNode:
    """One node of a simulation.

    Args:
        rules: What its agent goes by.
        folder: Where its journal lies.
        scenery: What it captures.
        trace: What its link can carry.
        heap: The time of all nodes.
        home: Where it sends to.
        rng: Draws the faults.
        faults: What goes wrong.
        disk: Its files.
        look_s: How long a look takes.
        clock: Wall time of the node at a true time; it may be wrong.
        before: Called before each effect; what it raises ends the node.
    """

    rules: Rules
    folder: Path
    scenery: Scenery
    trace: Trace
    heap: Heap
    home: VirtualHome
    rng: np.random.Generator
    faults: Faults = Faults()
    disk: VirtualDisk = field(default_factory=VirtualDisk)
    look_s: float = 0.1
    clock: Callable[[float], float] = lambda t: t + BEGINS_S
    before: Callable[[Effect], None] = lambda _: None

    def __post_init__(self) -> None:
        self._frames = self.scenery.frames()
        self._life = 0
        self._wake_t = math.inf
        self._booted_t = 0.0
        self.wasted_bytes = 0
        self.keys = ""
        self.performer: Performer | None = None
        self._next_frame()

    @property
    def agent(self) -> Agent:
        """The agent that runs."""
        assert self.performer is not None  # noqa: S101 - started by whoever asks
        return self.performer.agent

    def start(self) -> None:
        """Start the agent, for the first time or again."""
        self._life += 1
        self._booted_t = self.heap.t
        place = self.folder / "journal.sqlite"
        self._journal, _ = open_journal(place, self.disk, durable=False)
        agent = Agent(self.rules, recover(self._journal, self.disk), self._now())
        self.performer = _Watched(
            agent, self._journal, self.disk, self._look, self._send, self._attend
        )
        self.performer.before = self.before
        self._wake_t = math.inf
        self.happen(Woke())

    def end(self, *, power: bool = False) -> None:
        """End the agent as kill -9 does, or a loss of power."""
        self._journal.close()
        self.performer = None
        if power:
            self.disk.lose_power()

    def happen(self, event: Event) -> None:
        """Let something happen to the agent, if it runs."""
        if self.performer is None:
            return
        try:
            self.performer.happen(self._now(), event)
        except Ended as ended:
            self.end(power=ended.power)
            self.heap.at(self.heap.t + ended.away_s, self.start)
            return
        self._arrange_wake()

    def _now(self) -> Now:
        return Now(self.clock(self.heap.t), self.heap.t - self._booted_t)

    def _arrange_wake(self) -> None:
        wake_t = self._booted_t + self.agent.wake_mono_s()
        if math.isfinite(wake_t) and not self.heap.t < self._wake_t <= wake_t:
            self._wake_t = max(wake_t, self.heap.t + 1e-3)
            self.heap.at(self._wake_t, self._of_this_life(Woke()))

    def _of_this_life(self, event: Event) -> Callable[[], None]:
        """Return what lets an event happen, unless the agent ended meanwhile."""
        return self._if_alive(lambda: self.happen(event))

    def _if_alive(self, call: Callable[[], None]) -> Callable[[], None]:
        life = self._life

        def later() -> None:
            if life == self._life and self.performer is not None:
                call()

        return later

    def _next_frame(self) -> None:
        frame = next(self._frames, None)
        if frame is not None:
            self.heap.at(frame.captured_s, lambda: self._capture(frame))

    def _capture(self, frame: Captured) -> None:
        self._next_frame()
        self.happen(frame)

    def _look(self, effect: Look) -> None:
        looked = Looked(effect.frame, self.scenery.sight(effect.frame))
        self.heap.at(self.heap.t + self.look_s, self._of_this_life(looked))

    def _send(self, effect: Send) -> None:
        t, parcel = self.heap.t, effect.parcel
        name = self._name(parcel)
        if effect.ask_first and name in self.home.objects:
            self.heap.at(t, self._of_this_life(Delivered(parcel, 0, 0)))
            return
        size = self._size(parcel)
        if size is None:
            damaged = Failed(parcel, 0, 0, "damaged", "damaged")
            self.heap.at(t, self._of_this_life(damaged))
            return
        wire = size + self.rules.link.overhead_bytes
        if self.rng.random() < self.faults.reset:
            gone = int(wire * self.rng.random())
            self.wasted_bytes += gone
            after = self.trace.ends(t, gone) + self.faults.stall_s * float(self.rng.random())
            self.heap.at(after, self._of_this_life(Failed(parcel, gone, 0, "down", "reset")))
            return
        ends = self.trace.ends(t, wire)
        self.heap.at(ends, self._if_alive(lambda: self.home.take(name, size, ends)))
        if self.rng.random() < self.faults.lost_answer:
            lost = Failed(parcel, wire, 0, "down", "no answer")
            self.heap.at(ends + self.faults.stall_s, self._of_this_life(lost))
        else:
            answered = ends + self.faults.answer_s
            self.heap.at(answered, self._of_this_life(Delivered(parcel, wire, 0)))

    def _attend(self, effect: Rekey | Gather) -> Event:
        if isinstance(effect, Gather):
            return Gathered(effect.question, bytes(effect.most_bytes // 2))
        self.keys = effect.sealed
        return Offered("")

    def _name(self, parcel: Parcel) -> str:
        if isinstance(parcel, FrameParcel):
            return parcel.digest
        if isinstance(parcel, ReportParcel):
            return f"{self.rules.node} report {parcel.question}"
        return f"{self.rules.node} {parcel}"

    def _size(self, parcel: Parcel) -> int | None:
        if isinstance(parcel, FrameParcel):
            try:
                return len(unpack(self.disk.read(parcel.digest), parcel.digest).content)
            except (DamagedFrameError, OSError):
                return None
        if isinstance(parcel, SidecarParcel):
            return SIDECAR_BYTES * len(parcel.digests)
        if isinstance(parcel, ReportParcel):
            return len(parcel.data)
        return STATUS_BYTES


class Ended(Exception):  # noqa: N818 - nothing is wrong
    """The agent ends in the middle of what it does.

    Args:
        power: Whether power was lost, too.
        away_s: How long it is away.
    """

    def __init__(self, *, power: bool = False, away_s: float = 1.0) -> None:
        super().__init__()
        self.power, self.away_s = power, away_s


class _Watched(Performer):
    """Performs effects, and lets somebody end the agent before each."""

    before: Callable[[Effect], None] = staticmethod(lambda _: None)

    def perform(self, effect: Effect) -> Event | None:
        self.before(effect)
        return super().perform(effect)
