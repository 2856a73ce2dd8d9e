"""Decisions of triggers in plain words, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from backhaul.triggers.decisions import TRIGGERS, Answer, Decision

HOLDS = {True: "yes", False: "no", None: "unknown"}
INDENT = "  "


def line_of(decision: Decision) -> str:
    """Return a decision in one line: that of a flow run or a command."""
    if not decision.fires:
        return f"not yet: {decision.reason}"
    name = "fires" if decision.number is None else f"decision {decision.number} fired"
    by = "" if decision.by == TRIGGERS else f" by {decision.by}"
    return f"{name}{by}: {decision.reason}"


def explained(decisions: Sequence[Decision]) -> Iterator[str]:
    """Yield decisions line by line: when, what was found against what was asked."""
    for decision in decisions:
        yield times_of(decision)
        yield f"{INDENT}{line_of(decision)}"
        for answer in decision.answers:
            yield f"{INDENT * (2 + answer.depth)}{_answer(answer)}"
        if decision.fires:
            yield f"{INDENT * 2}{became_of(decision)}"


def times_of(decision: Decision) -> str:
    """Return when a decision was made, in UTC, and how often the same was."""
    first, last = clock(decision.first_s), clock(decision.last_s)
    if decision.times == 1:
        return first
    return f"{first} to {last} ({decision.times} times)"


def became_of(decision: Decision) -> str:
    """Return what became of a decision that fired."""
    if decision.number is None:
        return "not recorded"
    if decision.batches is None:
        return "stands: the next hour with a full batch plays it"
    batches = f"batches {decision.since} to {decision.batches - 1}"
    if decision.batches == decision.since + 1:
        batches = f"batch {decision.since}"
    if decision.done_s is None:
        return f"{batches}: not played by all methods yet"
    return f"{batches}: played by all methods at {clock(decision.done_s)}"


def markdown(decision: Decision) -> str:
    """Return a decision as a page for Prefect's UI."""
    lines = [f"**{line_of(decision)}**", ""]
    if decision.answers:
        lines += ["| asked | found | holds |", "|---|---|---|"]
        lines += [
            f"| {'&emsp;' * each.depth}{_cell(each.asked)} | {_cell(each.found)} "
            f"| {HOLDS[each.holds]} |"
            for each in decision.answers
        ]
    return "\n".join([*lines, "", times_of(decision)])


def clock(at_s: float) -> str:
    """Return a time as people read it, UTC.

    Example:
        >>> clock(0.0)
        '1970-01-01 00:00 UTC'
    """
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"


def _answer(answer: Answer) -> str:
    return f"{HOLDS[answer.holds]}: {answer.found}; asked: {answer.asked}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
