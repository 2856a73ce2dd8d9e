"""Where a node stands, as the parts of its agent share it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from backhaul.arrays import Float32Array
from backhaul.link.settings import Link
from backhaul.node.budget import Budget
from backhaul.node.frame import Frame
from backhaul.node.happenings import Commit, Drop, Effect, Erase, Note, Quarantine
from backhaul.node.journal import MOST_GONE
from backhaul.node.policies import AnyPolicy
from backhaul.node.queue import Density, Queue
from backhaul.node.records import Memory, Window
from backhaul.node.steady import Now, SteadyTime
from backhaul.randomness import generator
from backhaul.values.detections import FusedDetections

LET_GO = 0.02
"""Part of the cap that is freed at once, so that not every frame takes a commit."""
FIRST_EXPLORED = 0.1
"""Part of the frames of the first window that are taken to fit, as nobody knows yet."""
NO_LIMIT_BYTES = 10**12
"""No camera sees so much in a window."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What an agent goes by.

    Args:
        node: Name of the node.
        policies: Policies that take turns, window by window; one or more.
        link: What may be sent when.
        most_bytes: Most that files of frames may take of the disk.
        most_frames: Most frames that wait.
        seed: Of all that is drawn.
        model: Version of the model.
        status_s: Seconds between two statuses.
    """

    node: str
    policies: tuple[AnyPolicy, ...]
    link: Link
    most_bytes: int
    most_frames: int = 20_000
    seed: int = 0
    model: str = ""
    status_s: float = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is remembered of a frame while it waits.

    Args:
        found: Objects in it.
        descriptor: Its colours and textures.
        features: Features by the detector; None where nobody needs them.
    """

    found: FusedDetections
    descriptor: Float32Array
    features: Float32Array | None

    def vector(self, space: str) -> Float32Array:
        """Return the vector of a space: ``features``, or ``descriptors``."""
        known = self.features if space == "features" else self.descriptor
        return self.descriptor if known is None else known


class Recovered(NamedTuple):
    """A frame that waits from before a restart, and what was seen in it."""

    frame: Frame
    seen: Seen


@dataclass(eq=False)
class Standing:
    """Where a node stands.

    Args:
        rules: What it goes by.
        memory: What it remembers from before.
        now: What its clocks say.
        gone: Digests of the last frames that were sent or given up, the oldest first.
        density: What sending frames now is worth for each byte.
        own: What they are worth for each byte by themselves.
        given_up: Told of each frame that home will not have.
    """

    rules: Rules
    memory: Memory
    now: Now
    gone: dict[str, None] = field(default_factory=dict)
    density: Density = field(default=lambda frame: frame.value)
    own: Density = field(default=lambda frame: frame.value)
    given_up: Callable[[str], None] = field(default=lambda digest: None)

    def __post_init__(self) -> None:
        self.time = SteadyTime(self.memory.steady, self.now)
        self.t = self.time.at(self.now)
        self.budget = Budget(self.rules.link, self.memory.ledger, self.memory.link)
        self.queue = Queue(self._density, self._own)
        self.seen: dict[str, Seen] = {}
        self.untold: dict[str, Frame] = {}
        self.is_dirty = False
        self.committed_mono_s = self.now.mono_s
        self._after_commit: list[Effect] = []
        self._leaving_bytes = 0
        self._kept: list[int] | None = None
        self.next_rules = self.rules
        self.choice_failed = ""
        """Why the method of the last window could not choose; empty if it could."""
        if self.memory.window is None:
            self.open_window(self.budget.window(self.t))

    def _density(self, frame: Frame) -> float:
        return self.density(frame)  # which is there only later

    def _own(self, frame: Frame) -> float:
        return self.own(frame)

    @property
    def window(self) -> Window:
        """The open window."""
        assert self.memory.window is not None  # noqa: S101 - opened at the start
        return self.memory.window

    @property
    def policy(self) -> AnyPolicy:
        """The policy of the open window."""
        return self.policy_named(self.window.policy)

    def policy_named(self, name: str) -> AnyPolicy:
        """Return a policy by its name; one that is no longer there has become the first."""
        every = {policy.name: policy for policy in self.rules.policies}
        return every.get(name, self.rules.policies[0])

    def open_window(self, number: int) -> None:
        """Open a window, with the policy whose turn it is."""
        n = len(self.rules.policies)
        turns = generator(self.rules.seed, "turns", self.rules.node, number // n).permutation(n)
        policy = self.rules.policies[int(turns[number % n])]
        self.memory.window = Window(
            number=number,
            policy=policy.name,
            model=self.rules.model,
            began_s=self.t,
            explore=self._explore(policy.explore),
        )
        self.is_dirty = True

    def go_by_next_rules(self) -> None:
        """Go by the rules that were given for the next window."""
        if self.next_rules.link != self.rules.link:
            self.budget = Budget(self.next_rules.link, self.budget.ledger, self.rules.link)
        self.rules = self.next_rules

    def fetched(self, up_bytes: int, down_bytes: int) -> None:
        """Count what asking home for what it publishes took."""
        self.window.up_bytes += up_bytes
        self.window.down_bytes += down_bytes
        self.budget.count(up_bytes, self.t)
        self.budget.count_down(down_bytes)
        self.is_dirty = True

    def _explore(self, share: float) -> float:
        """Return the probability with which chance draws frames of a window.

        As many bytes are expected to be seen as in the last window in which there were frames:
        a camera that wakes now and then has empty ones between.
        """
        _, may = self.budget.of_window(self.t)
        if may is None or may > NO_LIMIT_BYTES:
            return share
        if not self.memory.seen_bytes:
            return share * FIRST_EXPLORED
        return share * min(1.0, may / self.memory.seen_bytes)

    def see(self, now: Now) -> None:
        """Let time pass."""
        self.now = now
        self.t = self.time.at(now)

    @property
    def disk_bytes(self) -> int:
        """What files of frames take of the disk, those included that are erased next."""
        return self.queue.disk_bytes + self._untold_bytes + self._leaving_bytes

    @property
    def _untold_bytes(self) -> int:
        return sum(frame.disk_bytes for frame in self.untold.values())

    def sent(self, frame: Frame) -> list[Effect]:
        """Take a frame out of the queue that home has; it stays until home has its sidecar."""
        self.queue.discard(frame.digest)
        self.window.sent += 1
        self.window.sent_bytes += frame.size_bytes
        self.window.sent_value += frame.value
        self.is_dirty = True
        if frame.told:
            return self.drop(frame, sent=True)
        self.untold[frame.digest] = replace(frame, sent=True)
        return [Note(self.untold[frame.digest])]

    def drop(self, frame: Frame, *, sent: bool = False, damaged: bool = False) -> list[Effect]:
        """Forget a frame: home has it and its sidecar, or it is given up."""
        self.queue.discard(frame.digest)
        self.untold.pop(frame.digest, None)
        seen = self.seen.pop(frame.digest, None)
        self._remember_gone(frame.digest)
        vector = None
        if sent and seen is not None:
            vector = seen.descriptor.astype(np.float16).tobytes()
        self._after_commit.append((Quarantine if damaged else Erase)(frame.digest))
        self._leaving_bytes += frame.disk_bytes
        self.is_dirty = True
        return [Drop(frame.digest, self.memory.number, vector)]

    def _remember_gone(self, digest: str) -> None:
        self.gone[digest] = None
        if len(self.gone) > MOST_GONE:
            del self.gone[next(iter(self.gone))]

    def displace(self, frame: Frame, reason: str, *, damaged: bool = False) -> list[Effect]:
        """Give a frame up, and count why."""
        if frame.why == "candidate":
            count(self.window.counts, "not-chosen")
        else:
            count(self.window.displaced, reason)
        self.given_up(frame.digest)
        return self.drop(frame, damaged=damaged)

    def is_full(self, disk_bytes: int) -> bool:
        """Return whether a file more is too much."""
        cap, most = self.rules.most_bytes, self.rules.most_frames
        return self.disk_bytes + disk_bytes > cap or len(self.queue) >= most

    def can_make_room(self, disk_bytes: int) -> bool:
        """Return whether there is room for a file once all is given up that may be."""
        underway = self.queue.underway
        held = 0 if underway is None else self.queue[underway].disk_bytes
        return held + self._untold_bytes + disk_bytes <= self.rules.most_bytes

    def make_room(self, disk_bytes: int) -> list[Effect]:
        """Give up the worst frames until there is room for one more, if there is too little."""
        cap, most = self.rules.most_bytes, self.rules.most_frames
        if not self.is_full(disk_bytes):
            return []
        goal = (
            cap - max(disk_bytes, int(LET_GO * cap)) + self.queue.disk_bytes - self.disk_bytes
        )
        goal += self._leaving_bytes
        effects: list[Effect] = []
        while (worst := self.queue.worst()) is not None and (
            self.queue.disk_bytes > goal or len(self.queue) >= most
        ):
            effects += self.displace(worst, "cap")
        return [*effects, *self.commit()]

    def totals(self) -> dict[str, int]:
        """Return sums over all windows, the open one included."""
        sums = dict(self.memory.totals)
        for what, n in sums_of(self.window).items():
            count(sums, what, n)
        return sums

    def commit(self) -> list[Effect]:
        """Return what lets all that happened count on the disk, and erases what is gone."""
        self.is_dirty = False
        self.committed_mono_s = self.now.mono_s
        self.memory.steady, self.memory.ledger = self.time.saved, self.budget.ledger
        self.memory.link = self.budget.link
        erased, self._after_commit = self._after_commit, []
        self._leaving_bytes = 0
        text = self.memory.model_dump_json(by_alias=True, exclude={"closed"})
        return [Commit(text, self._closed_if_new()), *erased]

    def _closed_if_new(self) -> str | None:
        """Return the closed windows as JSON; None if they are in the journal already.

        After a month without a link they have half a megabyte, and a commit is due each second.
        """
        closed = self.memory.closed
        numbers = [window.number for window in closed]
        if numbers == self._kept:
            return None
        self._kept = numbers
        return f"[{','.join(window.model_dump_json() for window in closed)}]"


def count(counts: dict[str, int], what: str, n: int = 1) -> None:
    """Add to one of several counts."""
    counts[what] = counts.get(what, 0) + n


def summary_of(window: Window, rules: Rules) -> bytes:
    """Return the summary of a window as it is sent, JSON."""
    whole = {"schema": 1, "node": rules.node, **window.model_dump()}
    return json.dumps(whole).encode()


SUMS = ("seen", "looked", "chosen", "sent", "sent_bytes", "up_bytes", "down_bytes")


def sums_of(window: Window) -> dict[str, int]:
    """Return what of a window is summed over all of them."""
    return {
        **{name: int(getattr(window, name)) for name in SUMS},
        "passed_over": sum(window.counts.values()),
        "displaced": sum(window.displaced.values()),
    }
