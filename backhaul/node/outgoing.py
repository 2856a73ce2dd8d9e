"""What goes to home, and when: the best frames first, and what tells about them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from backhaul.node.frame import Frame
from backhaul.node.happenings import (
    Delivered,
    Effect,
    Failed,
    FrameParcel,
    KeysParcel,
    Note,
    Parcel,
    ReportParcel,
    Send,
    SidecarParcel,
    StatusParcel,
    SummaryParcel,
)
from backhaul.node.policies import AskedPolicy
from backhaul.node.requests import Requests
from backhaul.node.retries import LATER_S, Retries
from backhaul.node.standing import Seen, Standing, summary_of
from backhaul.uplink.backoff import Backoff

MOST_TOLD = 20
"""Sidecars of one object."""
SIDECAR_BYTES = 500
"""What a sidecar is reckoned to take, compressed, before it is made."""
TELL_S = 60.0
"""A sidecar waits for others so long."""
STATUS_BYTES = 1_000
STATUS_AGAIN_S = 30.0
"""A status that did not get through is tried again after so long."""
SUMMARY_BYTES = 300
"""A summary has more than that."""
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
        self._retries = Retries()
        self.requests = Requests(standing)
        self._status_due_mono_s = standing.now.mono_s
        self._untold_mono_s = math.inf
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
        is_late = now.mono_s >= self._status_due_mono_s
        waits = bool(len(at.queue) or at.untold or at.memory.closed or self.requests.wait)
        change = at.budget.next_change(at.t) if is_late or waits else math.inf
        due = (
            self._status_due_mono_s,
            self._untold_mono_s + TELL_S,
            self.requests.again_mono_s,
        )
        return min([now.mono_s + change - at.t, *(each for each in due if each > now.mono_s)])

    def next(self) -> list[Effect]:
        """Return what is to be sent now; nothing while something is under way."""
        at = self._at
        is_early = at.now.mono_s < self._not_before_mono_s
        if self._underway is not None or self.is_held or is_early:
            return []
        found = self._first()
        if found is None:
            return []
        parcel, cost, is_frame = found
        at.budget.count(cost, at.t, images=int(is_frame))
        self._underway = _Underway(parcel, at.t, cost, is_frame)
        if isinstance(parcel, FrameParcel):
            ask_first, effects = at.queue[parcel.digest].doubtful, self._doubt(parcel.digest)
            at.queue.underway = parcel.digest
        else:
            ask_first, effects = self._retries.is_doubtful(parcel), []
        return [*effects, *at.commit(), Send(parcel, ask_first)]

    def _first(self) -> tuple[Parcel, int, bool] | None:
        """Return what goes first: what tells about frames, unless it did not get through."""
        every: dict[type[Parcel], Callable[[], tuple[Parcel, int, bool] | None]] = {
            SummaryParcel: self._summary,
            StatusParcel: self._status,
            KeysParcel: self.requests.keys,
            ReportParcel: self.requests.report,
            SidecarParcel: self._told,
            FrameParcel: self._frame,
        }
        now_s = self._at.now.mono_s
        order = sorted(every, key=lambda kind: self._retries.comes_later(kind, now_s))
        return next(filter(None, (every[kind]() for kind in order)), None)

    def delivered(self, event: Delivered) -> tuple[list[Effect], Seen | None]:
        """Note that home has a parcel; return what was seen in a frame that was sent."""
        self._settle(event, stays_an_image=True)
        self._backoff, self.refused = self._backoff.after_success(), ""
        self._retries.delivered(event.parcel)
        at, parcel = self._at, event.parcel
        match parcel:
            case FrameParcel(digest):
                if digest in at.queue:
                    seen = at.seen.get(digest)
                    return at.sent(at.queue[digest]), seen
            case SidecarParcel(_, digests):
                self._untold_mono_s = math.inf
                return self._note_told(digests), None
            case SummaryParcel(number):
                at.memory.closed = [w for w in at.memory.closed if w.number != number]
            case StatusParcel():
                self._status_due_mono_s = at.now.mono_s + at.rules.status_s
            case KeysParcel() | ReportParcel():
                self._status_due_mono_s = at.now.mono_s  # home learns at once what came of it
                return self.requests.delivered(parcel), None
        return [], None

    def failed(self, event: Failed) -> list[Effect]:
        """Note that a parcel did not get through, and wait before the next try."""
        self._settle(event, stays_an_image=False)
        at, parcel = self._at, event.parcel
        if event.kind == "damaged" and isinstance(parcel, FrameParcel):
            if parcel.digest not in at.queue:
                return []
            return at.displace(at.queue[parcel.digest], "damaged", damaged=True)
        if isinstance(parcel, KeysParcel) and event.kind != "down":
            self.requests.refused()  # that the new keys do not work is no fault of the link
            return []
        self._backoff = self._backoff.after_failure(self._rng)
        wait_s = self._backoff.wait_s
        if event.kind == "refused":
            self.refused = event.reason
            wait_s = max(wait_s, REFUSED_WAIT_S)
        self._not_before_mono_s = at.now.mono_s + wait_s
        again_s = self._not_before_mono_s + max(wait_s, LATER_S)
        self._retries.failed(parcel, again_s, is_doubtful=event.kind == "down")
        if isinstance(parcel, StatusParcel):
            self._status_due_mono_s = at.now.mono_s + min(at.rules.status_s, STATUS_AGAIN_S)
        return []

    def _doubt(self, digest: str) -> list[Effect]:
        """Note that home may have a frame from now on, whatever becomes of the answer."""
        frame = self._at.queue[digest]
        if frame.doubtful:
            return []
        self._at.queue.put(replace(frame, doubtful=True))
        return [Note(self._at.queue[digest])]

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
        at.budget.count_down(event.down_bytes)
        self._underway = at.queue.underway = None

    def _summary(self) -> tuple[Parcel, int, bool] | None:
        at = self._at
        room = at.budget.room(at.t, images=0)
        if room < SUMMARY_BYTES:
            return None
        for window in at.memory.closed:
            text = summary_of(window, at.rules)
            if len(text) <= room:
                cost = at.budget.cost_bytes(len(text))
                return SummaryParcel(window.number, text), cost, False
        return None

    def _told(self) -> tuple[Parcel, int, bool] | None:
        """Return sidecars: of frames that were sent, or that home has to see to ask for them.

        They wait until there are enough for one object, or one of them has waited long enough.
        """
        at = self._at
        waits = [*at.untold.values(), *self._askable()]
        if not waits:
            self._untold_mono_s = math.inf
            return None
        self._untold_mono_s = min(self._untold_mono_s, at.now.mono_s)
        is_late = at.now.mono_s >= self._untold_mono_s + TELL_S
        if len(waits) < MOST_TOLD and not is_late:
            return None
        n = min(len(waits), MOST_TOLD)
        while n > 1 and not at.budget.ever_allows(SIDECAR_BYTES * n):
            n //= 2
        parcel = self._told_again()
        if parcel is None:
            parcel = SidecarParcel(at.memory.batch, tuple(f.digest for f in waits[:n]))
        size = SIDECAR_BYTES * len(parcel.digests)
        if not at.budget.allows(size, at.t, images=0):
            return None
        at.memory.batch = max(at.memory.batch, parcel.batch + 1)
        return parcel, at.budget.cost_bytes(size), False

    def _told_again(self) -> SidecarParcel | None:
        """Return the sidecars that home may have, if all their frames are still here."""
        at, parcel = self._at, self._retries.sidecars()
        if parcel is None or not all(d in at.untold or d in at.queue for d in parcel.digests):
            return None
        return parcel

    def _askable(self) -> list[Frame]:
        at = self._at
        if not any(isinstance(policy, AskedPolicy) for policy in at.rules.policies):
            return []
        return [
            frame
            for frame in at.queue
            if not frame.told and isinstance(at.policy_named(frame.policy), AskedPolicy)
        ]

    def _frame(self) -> tuple[Parcel, int, bool] | None:
        at = self._at
        room = at.budget.room(at.t)  # asked once: the queue may be long
        if room < at.queue.smallest_bytes:
            return None

        def may_go(frame: Frame) -> bool:
            return frame.size_bytes <= room and frame.why != "candidate"

        rests = self._retries.rests
        frame = at.queue.best(lambda frame: may_go(frame) and not rests(frame.digest))
        frame = frame or at.queue.best(may_go)
        if frame is None:
            return None
        return FrameParcel(frame.digest), at.budget.cost_bytes(frame.size_bytes), True

    def _status(self) -> tuple[Parcel, int, bool] | None:
        at = self._at
        is_due = at.now.mono_s >= self._status_due_mono_s
        if not is_due or not at.budget.allows(STATUS_BYTES, at.t, images=0):
            return None
        return StatusParcel(), at.budget.cost_bytes(STATUS_BYTES), False

    def _note_told(self, digests: tuple[str, ...]) -> list[Effect]:
        """Forget frames that were sent, and let home ask for the others."""
        at, effects = self._at, list[Effect]()
        for digest in digests:
            if digest in at.untold:
                effects += at.drop(at.untold[digest], sent=True)
            elif digest in at.queue:
                frame = replace(at.queue[digest], told=True)
                at.queue.put(frame)
                effects.append(Note(frame))
        at.is_dirty = True
        return effects
