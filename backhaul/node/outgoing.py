"""What goes to home, and when: summaries, sidecars, then frames, the best first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from backhaul.node.frame import Frame
from backhaul.node.happenings import (
    Delivered,
    Effect,
    Failed,
    FrameParcel,
    Note,
    Parcel,
    Send,
    SidecarParcel,
    StatusParcel,
    SummaryParcel,
)
from backhaul.node.policies import AskedPolicy
from backhaul.node.standing import Seen, Standing, summary_of
from backhaul.uplink.backoff import Backoff

MOST_TOLD = 20
"""Sidecars of one object: those of the frames that are next, as far as is known."""
SIDECAR_BYTES = 700
"""What a sidecar is reckoned to take, compressed, before it is made."""
STATUS_BYTES = 1_000
REFUSED_WAIT_S = 300.0
"""Least wait after home refused something: keys that were revoked do not come back soon."""


@dataclass(slots=True)
class _Underway:
    """A parcel that is being sent, when it was begun, and what was reserved for it."""

    parcel: Parcel
    began_t: float
    reserved_bytes: int
    is_frame: bool


class Outgoing:
    """Decides what is sent next. One parcel is under way at a time.

    Args:
        standing: Where the node stands.
        rng: Draws how long is waited after failures.
    """

    def __init__(self, standing: Standing, rng: np.random.Generator) -> None:
        self._at = standing
        self._rng = rng
        self._backoff = Backoff()
        self._not_before_mono_s = -math.inf
        self._underway: _Underway | None = None
        self._doubtful: set[Parcel] = set()
        self._status_due_mono_s = standing.now.mono_s
        self.is_held = False
        self.refused = ""

    @property
    def failures(self) -> int:
        """How many tries in a row have failed."""
        return self._backoff.failures

    def wake_mono_s(self) -> float:
        """Return when more may be sent than now, by the monotonic clock."""
        at, now = self._at, self._at.now
        if self._underway is not None:
            return math.inf
        if now.mono_s < self._not_before_mono_s:
            return self._not_before_mono_s
        waits = len(at.queue) > 0 or bool(at.memory.closed)
        change = at.budget.next_change(at.t) if waits else math.inf
        return min(now.mono_s + change - at.t, max(self._status_due_mono_s, now.mono_s))

    def next(self) -> list[Effect]:
        """Return what is to be sent now; nothing while something is under way."""
        at = self._at
        is_early = at.now.mono_s < self._not_before_mono_s
        if self._underway is not None or self.is_held or is_early:
            return []
        found = self._summary() or self._frame() or self._status()
        if found is None:
            return []
        parcel, cost, is_frame = found
        at.budget.count(cost, at.t, images=int(is_frame))
        self._underway = _Underway(parcel, at.t, cost, is_frame)
        ask_first = parcel in self._doubtful
        return [*at.commit(), Send(parcel, ask_first)]

    def delivered(self, event: Delivered) -> tuple[list[Effect], Seen | None]:
        """Note that home has a parcel; return what was seen in a frame that was sent."""
        self._settle(event, stays_an_image=True)
        self._backoff, self.refused = self._backoff.after_success(), ""
        self._doubtful.discard(event.parcel)
        at, parcel = self._at, event.parcel
        match parcel:
            case FrameParcel(digest):
                return self._sent(digest)
            case SidecarParcel(_, digests):
                return self._told(digests), None
            case SummaryParcel(number):
                at.memory.closed = [w for w in at.memory.closed if w.number != number]
            case StatusParcel():
                self._status_due_mono_s = at.now.mono_s + at.rules.status_s
        return [], None

    def failed(self, event: Failed) -> list[Effect]:
        """Note that a parcel did not get through, and wait before the next try."""
        self._settle(event, stays_an_image=False)
        at, parcel = self._at, event.parcel
        if event.kind == "damaged" and isinstance(parcel, FrameParcel):
            frame = at.queue[parcel.digest]
            return at.displace(frame, "damaged", damaged=True)
        self._backoff = self._backoff.after_failure(self._rng)
        wait_s = self._backoff.wait_s
        if event.kind == "refused":
            self.refused = event.reason
            wait_s = max(wait_s, REFUSED_WAIT_S)
        self._not_before_mono_s = at.now.mono_s + wait_s
        if event.kind == "down":
            self._doubtful.add(parcel)
        if isinstance(parcel, StatusParcel):
            self._status_due_mono_s = at.now.mono_s + at.rules.status_s
        if isinstance(parcel, FrameParcel) and parcel.digest in at.queue:
            frame = replace(at.queue[parcel.digest], doubtful=True)
            at.queue.put(frame)
            at.is_dirty = True
            return [Note(frame)]
        return []

    def _settle(self, event: Delivered | Failed, *, stays_an_image: bool) -> None:
        """Count what really went over the wire in place of what was reserved for it."""
        at, underway = self._at, self._underway
        at.window.up_bytes += event.up_bytes
        at.window.down_bytes += event.down_bytes
        at.is_dirty = True
        if underway is not None:
            images = -int(underway.is_frame and not stays_an_image)
            more = event.up_bytes - underway.reserved_bytes
            at.budget.count(more, underway.began_t, images=images)
        self._underway = None

    def _summary(self) -> tuple[Parcel, int, bool] | None:
        at = self._at
        for window in at.memory.closed:
            text = summary_of(window, at.rules)
            cost = at.budget.cost_bytes(len(text))
            if at.budget.allows(len(text), at.t, images=0):
                return SummaryParcel(window.number, text), cost, False
        return None

    def _frame(self) -> tuple[Parcel, int, bool] | None:
        at = self._at
        if (untold := self._asked()) is not None:
            return untold
        frame = at.queue.best(self._may_go)
        if frame is None:
            return None
        if not frame.told:
            return self._sidecars([each for each in at.queue if self._goes_some_day(each)])
        parcel = FrameParcel(frame.digest)
        if frame.doubtful:
            self._doubtful.add(parcel)
        return parcel, at.budget.cost_bytes(frame.size_bytes), True

    def _asked(self) -> tuple[Parcel, int, bool] | None:
        """Return sidecars of frames that home has to see before it can ask for them."""
        at = self._at
        waits = [
            frame
            for frame in at.queue
            if not frame.told and isinstance(at.policy_named(frame.policy), AskedPolicy)
        ]
        is_over = any(frame.window < at.window.number for frame in waits)
        return self._sidecars(waits) if len(waits) >= MOST_TOLD or is_over else None

    def _sidecars(self, frames: list[Frame]) -> tuple[Parcel, int, bool] | None:
        at = self._at
        digests = tuple([each.digest for each in frames if not each.told][:MOST_TOLD])
        size = SIDECAR_BYTES * len(digests)
        if not digests or not at.budget.allows(size, at.t, images=0):
            return None
        parcel = SidecarParcel(at.memory.batch, digests)
        at.memory.batch += 1
        return parcel, at.budget.cost_bytes(size), False

    def _status(self) -> tuple[Parcel, int, bool] | None:
        at = self._at
        is_due = at.now.mono_s >= self._status_due_mono_s
        if not is_due or not at.budget.allows(STATUS_BYTES, at.t, images=0):
            return None
        return StatusParcel(), at.budget.cost_bytes(STATUS_BYTES), False

    def _goes_some_day(self, frame: Frame) -> bool:
        return frame.why != "candidate"

    def _may_go(self, frame: Frame) -> bool:
        at = self._at
        return self._goes_some_day(frame) and at.budget.allows(frame.size_bytes, at.t)

    def _sent(self, digest: str) -> tuple[list[Effect], Seen | None]:
        at = self._at
        if digest not in at.queue:
            return [], None
        frame, seen = at.queue[digest], at.seen.get(digest)
        at.window.sent += 1
        at.window.sent_bytes += frame.size_bytes
        at.window.sent_value += frame.value
        return at.drop(frame, sent=True), seen

    def _told(self, digests: tuple[str, ...]) -> list[Effect]:
        at = self._at
        told = [replace(at.queue[each], told=True) for each in digests if each in at.queue]
        for frame in told:
            at.queue.put(frame)
        at.is_dirty = True
        return [Note(frame) for frame in told]
