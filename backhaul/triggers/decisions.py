"""What triggers of a run decided: the last decisions, and which of them was played.

One record, changed by conditional puts alone: of two that ask at the same time one decides. A
decision that fires has a number. It stands until an hour begins to play; until then nothing is
decided anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.fleet.keeping import changed
from backhaul.layout import RunFiles
from backhaul.triggerlayout import decisions_place

MOST_DECISIONS = 500
"""Last decisions that are kept; equal ones in a row are one."""
TRIGGERS = "triggers"
"""Who decides, where no person does."""


class Answer(BaseModel):
    """What one condition, or a group of them, found.

    Args:
        depth: How many groups it is in.
        kind: Kind of the condition.
        asked: What has to hold.
        found: What was found.
        text: Both in few words.
        value: The number that was found; None = there is none, or it is not known yet.
        holds: Whether it holds; None = that is not known yet.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    depth: int = 0
    kind: str
    asked: str
    found: str
    text: str
    value: float | None = None
    holds: bool | None


class Decision(BaseModel):
    """Whether batches that are full are to be played now.

    Args:
        fires: Whether they are.
        number: Number of a decision that was recorded and fires, from 1.
        first_s: When it was made, seconds since 1970.
        last_s: When the same was found last.
        times: How often in a row the same was found.
        by: Who decided: ``triggers``, or a person.
        reason: Why, one line.
        answers: What the conditions found: each group before what is in it.
        since: Batches that had been let be played before.
        batches: Batches, from the first on, that may be played by it; None = none has begun.
        done_s: When all methods had played them; None = not yet.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    fires: bool
    number: int | None = None
    first_s: float
    last_s: float
    times: int = 1
    by: str = TRIGGERS
    reason: str
    answers: tuple[Answer, ...] = ()
    since: int = 0
    batches: int | None = None
    done_s: float | None = None

    @property
    def stands(self) -> bool:
        """Whether it fires, and no hour has begun to play yet."""
        return self.fires and self.batches is None

    def equals(self, other: Decision) -> bool:
        """Return whether the other found the same, at whatever time."""
        when = {"first_s": 0.0, "last_s": 0.0, "times": 1}
        return self.model_copy(update=when) == other.model_copy(update=when)


class DecisionLog(BaseModel):
    """The last decisions of a run.

    Args:
        fired: How many have fired so far.
        given_before: How many batches the decisions before the last one let be played, also
            those that are no longer kept.
        start: What the start of an hour is known by that is under way; empty before the first.
        decisions: The decisions, the first one first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    fired: int = 0
    given_before: int = 0
    start: str = ""
    decisions: tuple[Decision, ...] = ()

    @property
    def standing(self) -> Decision | None:
        """The decision that fired, and that no hour has begun to play."""
        last = self.decisions[-1] if self.decisions else None
        return last if last is not None and last.stands else None

    @property
    def given(self) -> int:
        """How many batches may be played by these decisions, from the first on."""
        return max(self.given_before, *(each.batches or 0 for each in self.decisions), 0)

    def with_decision(self, decision: Decision) -> DecisionLog:
        """Return the log with one more decision, which gets a number if it fires."""
        last = self.decisions[-1] if self.decisions else None
        if last is not None and not decision.fires and last.equals(decision):
            same = {"last_s": decision.last_s, "times": last.times + 1}
            kept = (*self.decisions[:-1], last.model_copy(update=same))
            return self.model_copy(update={"decisions": kept})
        number = self.fired + 1 if decision.fires else None
        new = decision.model_copy(update={"number": number})
        changes = {
            "decisions": (*self.decisions, new)[-MOST_DECISIONS:],
            "fired": self.fired + bool(decision.fires),
            "given_before": self.given,
        }
        return self.model_copy(update=changes)

    def having(
        self, which: Callable[[Decision], bool], changes: dict[str, float]
    ) -> DecisionLog:
        """Return the log with some of its decisions changed."""
        kept = [d.model_copy(update=changes) if which(d) else d for d in self.decisions]
        return self.model_copy(update={"decisions": tuple(kept)})


DECISIONS = RecordType("trigger decisions", DecisionLog)


@dataclass(frozen=True)
class Decisions:
    """The record of a run's decisions.

    Args:
        files: Where the files of the run lie.
    """

    files: RunFiles

    @property
    def place(self) -> str:
        """Its address."""
        return decisions_place(self.files)

    def read(self) -> DecisionLog:
        """Return the log; an empty one before the first decision."""
        return DECISIONS.read(self.place) or DecisionLog()

    def set_aside_if_damaged(self) -> None:
        """Set a damaged log aside, so that it counts as empty.

        Raises:
            InputError: If it is of a newer version.
        """
        DECISIONS.set_aside_if_damaged(self.place)

    def record(self, decision: Decision) -> Decision | None:
        """Add what was decided, and return what holds now.

        Returns:
            A decision that stands from before, or this one; None if an hour began to play
            meanwhile, so that it was of batches that are no longer unplayed.
        """
        log = self._change(lambda log: _with_asked(log, decision))
        if log.standing is not None:
            return log.standing
        return None if log.given > decision.since else log.decisions[-1]

    def fire(self, by: str, reason: str, now_s: float) -> Decision:
        """Fire by hand, and return the decision: one that stands from before, if there is.

        Args:
            by: Who fires.
            reason: Why, one line.
            now_s: The time, seconds since 1970.
        """
        hand = Decision(fires=True, first_s=now_s, last_s=now_s, by=by, reason=reason)

        def change(log: DecisionLog) -> DecisionLog:
            since = hand.model_copy(update={"since": log.given})
            return log if log.standing is not None else log.with_decision(since)

        standing = self._change(change).standing
        assert standing is not None  # noqa: S101 - it was written just now
        return standing

    def begin(self, batches: int, first: int = 0) -> None:
        """Note which batches the decision that stands lets be played.

        Args:
            batches: How many, from the first of all on.
            first: Number of the first that was not let be played before, as the run's state
                knows it: batches may have been played without triggers.
        """

        def change(log: DecisionLog) -> DecisionLog:
            since = max(first, 0 if log.standing is None else log.standing.since)
            return log.having(lambda each: each.stands, {"batches": batches, "since": since})

        self._change(change)

    def finish(self, played: int, now_s: float) -> DecisionLog:
        """Note which decisions are done, and return the log.

        Args:
            played: How many batches all methods have played, from the first on.
            now_s: The time, seconds since 1970.
        """

        def is_over(each: Decision) -> bool:
            begun = each.batches is not None and each.done_s is None
            return begun and (each.batches or 0) <= played

        log = self.read()
        if not any(map(is_over, log.decisions)):
            return log
        return self._change(lambda log: log.having(is_over, {"done_s": now_s}))

    def start(self, after: str = "") -> str:
        """Return what the start of an hour is known by: whoever asks at once gets the same.

        Args:
            after: That of a start that is over, if this is to be another one.
        """

        def change(log: DecisionLog) -> DecisionLog:
            if log.start != after:
                return log
            return log.model_copy(update={"start": uuid4().hex})

        return self._change(change).start

    def _change(self, change: Callable[[DecisionLog], DecisionLog]) -> DecisionLog:
        return changed(DECISIONS, self.place, lambda log: change(log or DecisionLog()))


def _with_asked(log: DecisionLog, decision: Decision) -> DecisionLog:
    """Return the log with what was asked, unless something stands, or has begun since."""
    if log.standing is not None or log.given > decision.since:
        return log
    return log.with_decision(decision)
