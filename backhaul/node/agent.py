"""The agent of a node, a state machine: events go in, what is to be done comes out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from backhaul.node.choosing import beside, choose_anyway
from backhaul.node.frame import Frame
from backhaul.node.happenings import (
    Asked,
    Captured,
    Delivered,
    Effect,
    Event,
    Failed,
    Fetched,
    Gathered,
    Held,
    Look,
    Looked,
    Note,
    NotWritten,
    Offered,
    Passed,
    Ruled,
    Wanted,
    Written,
)
from backhaul.node.intake import Intake
from backhaul.node.outgoing import Outgoing
from backhaul.node.policies import StreamPolicy, WindowPolicy
from backhaul.node.records import Window
from backhaul.node.recovery import Found
from backhaul.node.standing import SUMS, Rules, Standing, count, sums_of
from backhaul.node.steady import Now
from backhaul.randomness import generator

COMMIT_S = 1.0
"""What happened is on the disk after so long."""
MOST_CLOSED = 1_000
"""Windows whose summaries wait for home; then the oldest two that are alike become one."""


class Agent:
    """Decides what a node does. It does nothing itself, and asks no clock.

    Whoever runs it performs the effects of each step, in their order, before the next step, and
    calls it with `Woke` at `wake_mono_s` at the latest. If the process ends at any moment, an
    agent made of what the journal and the folder have goes on.

    Args:
        rules: What it goes by.
        found: What it has from before.
        now: What the clocks say.
    """

    def __init__(self, rules: Rules, found: Found, now: Now) -> None:
        self._at = Standing(rules, found.memory, now, dict.fromkeys(found.gone))
        self._intake = Intake(self._at)
        self._intake.recover((*found.waiting, *found.adopted), found.sent)
        self._account(found)
        self._outgoing = Outgoing(self._at, generator(rules.seed, "waits", rules.node))

    @property
    def standing(self) -> Standing:
        """Where the node stands, to be looked at."""
        return self._at

    @property
    def outgoing(self) -> Outgoing:
        """What is on its way, to be looked at."""
        return self._outgoing

    def wake_mono_s(self) -> float:
        """Return when `Woke` has to come at the latest, by the monotonic clock."""
        at = self._at
        due = at.committed_mono_s + COMMIT_S if at.is_dirty else math.inf
        ends = at.now.mono_s + at.budget.window_ends(at.window.number) - at.t
        return min(due, ends, self._outgoing.wake_mono_s())

    def step(self, now: Now, event: Event) -> list[Effect]:
        """Return what is to be done after an event.

        Args:
            now: What the clocks say.
            event: What has happened.
        """
        at = self._at
        at.see(now)
        effects = self._close_window() if at.budget.window(at.t) != at.window.number else []
        effects += self._after(event)
        effects += self._outgoing.next()
        if at.is_dirty and now.mono_s - at.committed_mono_s >= COMMIT_S:
            effects += at.commit()
        return effects

    def _account(self, found: Found) -> None:
        """Count the frames of which the end before did not let the journal know."""
        at, window = self._at, self._at.window
        for frame, _ in found.adopted:
            window.seen += 1
            window.looked += 1
            window.seen_bytes += frame.size_bytes
            if frame.why != "candidate":
                window.chosen += 1
                window.chosen_bytes += frame.size_bytes
            at.memory.number = max(at.memory.number, frame.number + 1)
        for frame in found.lost:
            if frame.sent:  # home has it, and it is counted; only its sidecar is gone
                continue
            lost = window.counts if frame.why == "candidate" else window.displaced
            count(lost, "not-chosen" if frame.why == "candidate" else "damaged")
        at.is_dirty = True

    def _after(self, event: Event) -> list[Effect]:
        at = self._at
        match event:
            case Captured() | Looked() | Written() | NotWritten() | Passed():
                return self._after_capture(event)
            case Delivered() | Failed():
                return self._after_sending(event)
            case Wanted(digests):
                return self._want(digests)
            case Offered() | Asked() | Gathered():
                return self._outgoing.requests.after(event)
            case Held(on):
                self._outgoing.is_held = on
            case Fetched(up_bytes, down_bytes):
                at.fetched(up_bytes, down_bytes)
            case Ruled():
                self._go_by(event)
        return []

    def _after_capture(
        self, event: Captured | Looked | Written | NotWritten | Passed
    ) -> list[Effect]:
        at = self._at
        match event:
            case Looked():
                return self._intake.looked(event)
            case Written(digest):
                return self._intake.written(digest)
            case NotWritten(digest):
                return self._intake.not_written(digest)
            case Passed(frames):
                at.window.seen += frames
                count(at.window.counts, "passed", frames)
                at.is_dirty = True
                return []
        return [Look(event, at.window.policy)]

    def _after_sending(self, event: Delivered | Failed) -> list[Effect]:
        if isinstance(event, Failed):
            return self._outgoing.failed(event)
        effects, seen = self._outgoing.delivered(event)
        if seen is not None:
            self._intake.sent(seen)
        return effects

    def _want(self, digests: frozenset[str]) -> list[Effect]:
        """Put what home asks for first in the queue; what is gone is gone."""
        at, effects = self._at, list[Effect]()
        for digest in sorted(digests):
            if digest in at.queue and at.queue[digest].why != "wanted":
                effects += self._choose(replace(at.queue[digest], why="wanted"))
        return effects

    def _go_by(self, event: Ruled) -> None:
        """Let another model look at once, and others choose once the window is over."""
        at = self._at
        if event.model != at.rules.model:
            at.rules = replace(at.rules, model=event.model)
            at.window.model = event.model
            self._intake.forget_model()
            at.queue.refresh()
        at.next_rules = replace(at.rules, policies=event.policies, link=event.link)
        at.is_dirty = True

    def _choose(self, frame: Frame) -> list[Effect]:
        at = self._at
        if at.queue[frame.digest].why == "candidate":
            at.window.chosen += 1
            at.window.chosen_bytes += frame.size_bytes
        at.queue.put(frame)
        at.is_dirty = True
        return [Note(frame)]

    def _close_window(self) -> list[Effect]:
        """Choose among the frames of the window, and begin the next one."""
        at = self._at
        window, effects = at.window, list[Effect]()
        policy = at.policy
        if isinstance(policy, WindowPolicy):
            effects += self._choose_among(window, policy)
        effects += self._give_up_orphans()
        window.waiting = len(at.queue)
        at.memory.closed.append(window)
        if len(at.memory.closed) > MOST_CLOSED:
            _join_oldest(at.memory.closed)
        for what, n in sums_of(window).items():
            count(at.memory.totals, what, n)
        at.memory.seen_bytes = window.seen_bytes or at.memory.seen_bytes
        at.go_by_next_rules()
        at.open_window(at.budget.window(at.t))
        at.queue.refresh()
        return [*effects, *at.commit()]

    def _give_up_orphans(self) -> list[Effect]:
        """Give up candidates among which nobody will choose: their policy is gone."""
        at = self._at
        orphans = [
            frame
            for frame in at.queue
            if frame.why == "candidate"
            and isinstance(at.policy_named(frame.policy), StreamPolicy)
        ]
        return [effect for frame in orphans for effect in at.displace(frame, "not-chosen")]

    def _choose_among(self, window: Window, policy: WindowPolicy) -> list[Effect]:
        at, effects = self._at, list[Effect]()
        candidates = (frame for frame in at.queue if frame.why == "candidate")
        open_ = [f for f in candidates if at.policy_named(f.policy) == policy]
        if not open_:
            return []
        rng: np.random.Generator = generator(
            at.rules.seed, "choice", at.rules.node, window.number
        )
        may = beside(at.budget.of_window(at.t), [f for f in at.queue if f.why != "candidate"])
        order, at.choice_failed = choose_anyway(policy.method, open_, at.seen, may, rng=rng)
        for place, digest in enumerate(order):
            value = 1 - place / len(order)
            effects += self._choose(replace(at.queue[digest], why="valued", value=value))
        chosen = set(order)
        for frame in open_:
            if frame.digest not in chosen:
                effects += at.displace(frame, "not-chosen")
        return effects


def _join_oldest(windows: list[Window]) -> None:
    """Make one of the oldest two windows of one policy and model: policies are compared."""
    before: dict[tuple[str, str], int] = {}
    for place, window in enumerate(windows):
        what = (window.policy, window.model)
        if what in before:
            windows[place] = _joined(windows[before[what]], window)
            del windows[before[what]]
            return
        before[what] = place
    windows[:2] = [_joined(*windows[:2])]


def _joined(one: Window, other: Window) -> Window:
    """Return two windows as one, the later one's number standing for both."""
    sums = {name: getattr(one, name) + getattr(other, name) for name in _ADDED}
    counts = {}
    for name in ("counts", "displaced", "classes"):
        counts[name] = dict(getattr(one, name))
        for what, n in getattr(other, name).items():
            count(counts[name], what, n)
    tenths = [a + b for a, b in zip(one.confidence, other.confidence, strict=True)]
    changed = {**sums, **counts, "confidence": tenths, "began_s": one.began_s}
    return other.model_copy(update=changed)


_ADDED = (*SUMS, "chosen_bytes", "seen_bytes", "empty", "sent_value")
