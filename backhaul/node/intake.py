"""What becomes of a frame that was looked at: chosen, a candidate, or passed over."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from backhaul.arrays import Float32Array
from backhaul.node.container import Kept
from backhaul.node.coverage import Coverage
from backhaul.node.frame import Frame
from backhaul.node.happenings import Captured, Effect, Looked, Note, Write
from backhaul.node.policies import AnyPolicy, StreamPolicy
from backhaul.node.ranks import Ranks
from backhaul.node.recent import Recent
from backhaul.node.records import Window
from backhaul.node.sidecar import sidecar_of
from backhaul.node.sight import Sight, utility_of
from backhaul.node.standing import Recovered, Seen, Standing, count
from backhaul.randomness import generator

FIRST_REFRESH = 32
"""Gains are looked at again after so many frames, twice as many, and so on: at first they are
those of a small sample."""
_BLOCK_BYTES = 4_096
_HEAD_BYTES = 640
"""The file of a frame has about so much beside sidecar and picture."""


class _Draft(NamedTuple):
    """A frame whose file is being written."""

    frame: Frame
    event: Looked
    seen: Seen


class Intake:
    """Values frames that were looked at, and decides which are kept.

    Args:
        standing: Where the node stands.
    """

    def __init__(self, standing: Standing) -> None:
        self._at = standing
        self._ranks: dict[str, Ranks] = {}
        self._coverage: dict[int, Coverage] = {}
        self._recent: Recent | None = None
        self._writing: dict[str, _Draft] = {}
        self._n_kept, self._refresh_at = 0, FIRST_REFRESH
        standing.density, standing.own = self.density, self.own
        standing.given_up = self._forget

    def recover(
        self, recovered: Iterable[Recovered], sent: Iterable[Float32Array] = ()
    ) -> None:
        """Go on from before a restart.

        Args:
            recovered: Frames that wait.
            sent: Descriptors of those that were sent, the oldest first.
        """
        for vector in sent:
            self._remember("", vector)
            if any(_covers(policy) for policy in self._at.rules.policies):
                self._covered(len(vector)).send(vector)
        for frame, seen in recovered:
            self._at.seen[frame.digest] = seen
            self._remember(frame.digest, seen.descriptor)
            self._see(frame, seen)
            if frame.sent:
                self._at.untold[frame.digest] = frame
            else:
                self._at.queue.put(frame)

    def density(self, frame: Frame) -> float:
        """Return what sending a frame now is worth, by its policy, for each byte."""
        policy = self._at.policy_named(frame.policy)
        if not isinstance(policy, StreamPolicy) or policy.diversity == "none":
            return self.own(frame)
        vector = self._at.seen[frame.digest].vector(policy.space)
        gain = self._covered(len(vector)).gain(vector)
        return gain / math.pow(frame.size_bytes, policy.gamma)

    def own(self, frame: Frame) -> float:
        """Return what a frame is worth by itself, by its policy, for each byte."""
        policy = self._at.policy_named(frame.policy)
        if not isinstance(policy, StreamPolicy):
            return frame.value
        return frame.value / math.pow(frame.size_bytes, policy.gamma)

    def forget_model(self) -> None:
        """Begin anew with all that compares outputs of a model; what waits keeps its rank."""
        self._ranks.clear()
        for seen in self._at.seen.values():
            if seen.features is not None and len(seen.features) != len(seen.descriptor):
                self._coverage.pop(len(seen.features), None)

    def sent(self, seen: Seen) -> None:
        """Count a frame as sent, so that frames like it are worth less."""
        for space in ("descriptors", "features"):
            vector = seen.vector(space)
            if len(vector) in self._coverage:
                self._coverage[len(vector)].send(vector)

    def looked(self, event: Looked) -> list[Effect]:
        """Decide about a frame."""
        at = self._at
        number, at.memory.number = at.memory.number, at.memory.number + 1
        if event.sight is None:
            self._pass(event, event.gate or "unreadable")
            return []
        frame = self._framed(number, event.frame, event.sight)
        self._see(frame, seen_in(event.sight))
        reason = self._unfit(frame)
        explored = _is_drawn(at, number)
        if explored and not reason:
            frame = replace(frame, why="explored")
        outdone: Frame | None = None
        if not reason and not explored:
            reason, outdone = self._outlooked(frame, event.sight)
        if reason:
            self._pass(event, reason)
            return []
        return self._keep(frame, event, event.sight, outdone)

    def written(self, digest: str) -> list[Effect]:
        """Let a frame wait whose file is on the disk."""
        frame, event, seen = self._writing.pop(digest)
        at = self._at
        at.seen[digest] = seen
        at.queue.put(frame)
        self._remember(digest, seen.descriptor)
        note_seen(at.window, event)
        if frame.why != "candidate":
            at.window.chosen += 1
            at.window.chosen_bytes += frame.size_bytes
        at.is_dirty = True
        self._n_kept += 1
        if self._n_kept >= self._refresh_at:
            self._refresh_at = 2 * self._n_kept
            at.queue.refresh()
        return [Note(frame)]

    def not_written(self, digest: str) -> list[Effect]:
        """Give a frame up for which the disk has no room, and free some for better ones."""
        frame, event, _ = self._writing.pop(digest)
        at = self._at
        self._pass(event, "full")
        worst = None if at.queue.is_behind(frame) else at.queue.worst()
        effects = [] if worst is None else at.displace(worst, "full")
        return [*effects, *at.commit()]

    def _framed(self, number: int, captured: Captured, sight: Sight) -> Frame:
        at, policy = self._at, self._at.policy
        digest = hashlib.sha256(sight.content).hexdigest()
        return Frame(
            digest=digest,
            number=number,
            captured_s=captured.captured_s,
            size_bytes=len(sight.content),
            disk_bytes=0,
            suffix=sight.suffix,
            value=self._value(sight, policy),
            why="valued" if isinstance(policy, StreamPolicy) else "candidate",
            probability=at.window.explore,
            window=at.window.number,
            policy=policy.name,
            model=at.rules.model,
        )

    def _value(self, sight: Sight, policy: AnyPolicy) -> float:
        if not isinstance(policy, StreamPolicy):
            return 0.0
        key = f"{self._at.rules.model} {policy.name}"
        ranks = self._ranks.setdefault(key, Ranks())
        return ranks.rank(utility_of(sight.found, policy))

    def _see(self, frame: Frame, seen: Seen) -> None:
        """Let a frame be one of those that what is sent has to stand for."""
        policy = self._at.policy_named(frame.policy)
        if isinstance(policy, StreamPolicy) and policy.diversity == "coverage":
            vector = seen.vector(policy.space)
            self._covered(len(vector)).see(vector, frame.value)

    def _covered(self, width: int) -> Coverage:
        if width not in self._coverage:
            rules = self._at.rules
            rng = generator(rules.seed, "coverage", rules.node)
            self._coverage[width] = Coverage(width, rng)
        return self._coverage[width]

    def _unfit(self, frame: Frame) -> str:
        """Return why a frame is passed over whatever it is worth; empty if it is not."""
        at = self._at
        known = (at.queue, at.gone, at.untold, self._writing)
        if any(frame.digest in each for each in known):
            return "repeated"
        return "" if at.budget.ever_allows(frame.size_bytes) else "too-large"

    def _outlooked(self, frame: Frame, sight: Sight) -> tuple[str, Frame | None]:
        """Return why a frame is passed over for others, or the one that makes way for it."""
        at, policy = self._at, self._at.policy
        if not policy.suppress or self._recent is None:
            return "", None
        digest, apart = self._recent.nearest(sight.descriptor)
        if apart > policy.near:
            return "", None
        if digest not in at.queue or frame.value <= at.queue[digest].value:
            return "suppressed", None
        other = at.queue[digest]
        if other.why in ("explored", "wanted") or digest == at.queue.underway:
            return "suppressed", None
        return "", other

    def _pass(self, event: Looked, reason: str) -> None:
        """Count a frame that is passed over."""
        note_seen(self._at.window, event)
        count(self._at.window.counts, reason)
        self._at.is_dirty = True

    def _keep(
        self, frame: Frame, event: Looked, sight: Sight, outdone: Frame | None
    ) -> list[Effect]:
        """Let a frame wait, unless all that could make room for it is better."""
        at = self._at
        sidecar = sidecar_of(event.frame.name, frame, sight, at.policy.sending.kind)
        needs = len(sight.content) + len(json.dumps(sidecar)) + _HEAD_BYTES
        frame = replace(frame, disk_bytes=-(-needs // _BLOCK_BYTES) * _BLOCK_BYTES)
        self._writing[frame.digest] = _Draft(frame, event, seen_in(sight))
        is_behind = at.is_full(frame.disk_bytes) and at.queue.is_behind(frame)
        if is_behind or not at.can_make_room(frame.disk_bytes):
            del self._writing[frame.digest]
            self._pass(event, "behind")
            return []
        effects = [] if outdone is None else at.displace(outdone, "outdone")
        effects += at.make_room(frame.disk_bytes)
        return [*effects, Write(Kept(frame, sidecar, sight.content))]

    def _remember(self, digest: str, descriptor: Float32Array) -> None:
        if self._recent is None:
            self._recent = Recent(len(descriptor))
        self._recent.put(digest, descriptor)

    def _forget(self, digest: str) -> None:
        """Let a frame that home will not have suppress no other."""
        if self._recent is not None:
            self._recent.forget(digest)


def _covers(policy: AnyPolicy) -> bool:
    """Return whether a policy goes by how descriptors stand for others."""
    if not isinstance(policy, StreamPolicy):
        return False
    return (policy.diversity, policy.space) == ("coverage", "descriptors")


def seen_in(sight: Sight) -> Seen:
    """Return what is remembered of a frame while it waits."""
    return Seen(sight.found, sight.descriptor, sight.features)


def _is_drawn(at: Standing, number: int) -> bool:
    """Return whether chance draws a frame; the same for a frame that is taken in again."""
    if at.window.explore == 0:
        return False
    words = f"{at.rules.seed} explore {at.rules.node} {number}"  # a generator takes far longer
    drawn = int.from_bytes(hashlib.sha256(words.encode()).digest()[:7], "big") / 2**56
    return drawn < at.window.explore


def note_seen(window: Window, event: Looked) -> None:
    """Count a frame that was captured, and what was seen in it.

    It is counted together with its end state, so that no end of the agent comes in between.
    """
    window.seen += 1
    window.seen_bytes += event.frame.size_bytes
    if event.sight is None:
        return
    found = event.sight.found
    window.looked += 1
    window.empty += not len(found)
    for tenth in np.minimum((found.confidence * 10).astype(np.int64), 9).tolist():
        window.confidence[tenth] += 1
    for class_id in found.class_id.tolist():
        count(window.classes, str(class_id))
