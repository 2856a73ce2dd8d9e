"""Ask the triggers of a run: what holds, and whether what is full is to be played."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from backhaul.campaign.runstate import read_state
from backhaul.campaign.triggers import GROUPS, AllCondition, AnyCondition, Trigger
from backhaul.triggers.conditions import answer_of
from backhaul.triggers.decisions import Answer, Decision, Decisions
from backhaul.triggers.unplayed import Hourly, Unplayed
from backhaul.untrusted import one_line

MOST_REASON = 1_000


def ask(trigger: Trigger, unplayed: Unplayed, now: datetime) -> Decision:
    """Return whether batches that are full are to be played, and what was found.

    Of no full batch nothing can be played, whatever holds; what is not known yet does not hold.

    Args:
        trigger: The conditions.
        unplayed: What has arrived and was not played yet.
        now: The time, with its zone.
    """
    answers = answers_of(trigger, unplayed, now)
    holds = answers[0].holds is True
    reason = "; ".join(each.text for each in deciding(answers))
    if not unplayed.n_batches:
        size = unplayed.run.config.batches.sampling_batch
        reason = f"no batch is full: {unplayed.n_waiting:,} of {size:,} images wait; {reason}"
    return Decision(
        fires=holds and unplayed.n_batches > 0,
        first_s=now.timestamp(),
        last_s=now.timestamp(),
        reason=one_line(reason, MOST_REASON),
        answers=tuple(answers),
        since=unplayed.first,
    )


def answers_of(
    trigger: Trigger, unplayed: Unplayed, now: datetime, depth: int = 0
) -> list[Answer]:
    """Return what a tree of conditions finds: of each group itself, then of what is in it."""
    if not isinstance(trigger, AllCondition | AnyCondition):
        own = answer_of(trigger, unplayed, now)
        return [own.model_copy(update={"depth": depth})]
    parts = [answers_of(each, unplayed, now, depth + 1) for each in trigger.conditions]
    of_parts = [part[0].holds for part in parts]
    holds = all_of(of_parts) if isinstance(trigger, AllCondition) else any_of(of_parts)
    n_holding = sum(each is True for each in of_parts)
    found = f"{n_holding} of {len(of_parts)} hold"
    group = Answer(
        depth=depth,
        kind=trigger.kind,
        asked=f"{trigger.kind} of {len(of_parts)}",
        found=found,
        text=found,
        value=n_holding,
        holds=holds,
    )
    return [group, *(answer for part in parts for answer in part)]


def deciding(answers: Sequence[Answer]) -> list[Answer]:
    """Return the conditions on which a tree's answer hangs.

    Of a group that holds these are in the parts that hold, of one that does not in those that
    do not: nothing else would have changed it. What is not known yet does not hold.

    Args:
        answers: What `answers_of` returned: the group, then what is in it.
    """
    first, *rest = answers
    if first.kind not in GROUPS:
        return [first]
    starts = [n for n, each in enumerate(rest) if each.depth == first.depth + 1]
    parts = (rest[start:end] for start, end in pairwise([*starts, len(rest)]))
    decide_it = (part for part in parts if (part[0].holds is True) == (first.holds is True))
    return [answer for part in decide_it for answer in deciding(part)]


def all_of(parts: Sequence[bool | None]) -> bool | None:
    """Return whether all hold: None if none fails and some is not known (Kleene's logic).

    Example:
        >>> all_of([True, None]), all_of([False, None]), all_of([True])
        (None, False, True)
    """
    if False in parts:
        return False
    return None if None in parts else True


def any_of(parts: Sequence[bool | None]) -> bool | None:
    """Return whether any holds: None if none does and some is not known (Kleene's logic).

    Example:
        >>> any_of([True, None]), any_of([False, None]), any_of([False])
        (True, None, False)
    """
    if True in parts:
        return True
    return None if None in parts else False


def look(run: Hourly, trigger: Trigger, now: datetime) -> Decision:
    """Return what would be decided now, or the decision that stands; nothing is written."""
    log = Decisions(run.files).read()
    if log.standing is not None:
        return log.standing
    return ask(trigger, Unplayed(run, read_state(run.files), log), now)


def decide(run: Hourly, trigger: Trigger, now: datetime) -> Decision:
    """Ask, record what was decided, and return it, or a decision that stands from before.

    Of two that ask at the same time one decides: the other finds that decision, or asks again
    where an hour has begun to play meanwhile.

    Args:
        run: The run, with what has arrived taken in.
        trigger: Its triggers.
        now: The time, with its zone.
    """
    decisions = Decisions(run.files)
    while True:
        decision = look(run, trigger, now)
        if decision.stands and decision.number is not None:
            return decision
        if (kept := decisions.record(decision)) is not None:
            return kept
