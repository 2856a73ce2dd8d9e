"""Which problems have begun and which are over since somebody was last told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.fleet.problems import Problem
from backhaul.nodelayout import problems_place
from backhaul.storage.conditional import create, read_or_none, swap

OVER_S = 900.0
"""A problem is over once it was not there for so long: one that comes and goes is one alarm."""


class Known(BaseModel):
    """A problem that was told.

    Args:
        subject: Whose it is.
        kind: What it is.
        text: It in words, as it was last.
        since_s: When it began, seconds since 1970.
        seen_s: When it was last there, likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    kind: str
    text: str
    since_s: float
    seen_s: float


class Alarms(BaseModel):
    """All problems that were told and are not over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    known: tuple[Known, ...] = ()


ALARMS = RecordType("alarms", Alarms)


@dataclass(frozen=True, slots=True)
class News:
    """What is new.

    Args:
        alarms: What is known from now on.
        begun: Problems that have begun.
        over: Problems that are over.
        is_first: Whether nothing was ever remembered before.
    """

    alarms: Alarms
    begun: tuple[Known, ...]
    over: tuple[Known, ...]
    is_first: bool = False


def keep_news(
    root: str, found: Sequence[Problem], now_s: float, tell: Callable[[News], None]
) -> News:
    """Tell what has begun and what is over, and remember it, so that it is told once.

    It is told before it is remembered: what ends in between is told again, and not forgotten.
    Where another process remembers first, its record stays.

    Args:
        root: Root of the store.
        found: The problems of now, one for each subject and kind.
        now_s: The time, seconds since 1970.
        tell: Tells it.
    """
    place = problems_place(root)
    ALARMS.set_aside_if_damaged(place)
    content = read_or_none(place)
    before = Alarms() if content is None else ALARMS.decode(content, place)
    new = replace(news(before, found, now_s), is_first=content is None)
    if new.begun or new.over:
        tell(new)
    data = ALARMS.encode(new.alarms, root)
    _ = create(place, data) if content is None else swap(place, content, data)
    return new


def news(before: Alarms, found: Sequence[Problem], now_s: float) -> News:
    """Return what has begun and what is over.

    Args:
        before: What was known.
        found: The problems of now, one for each subject and kind.
        now_s: The time, seconds since 1970.
    """
    known = {(each.subject, each.kind): each for each in before.known}
    here = {(each.subject, each.kind): each for each in found}
    now = {
        key: Known(
            subject=problem.subject,
            kind=problem.kind,
            text=problem.text,
            since_s=known[key].since_s if key in known else now_s,
            seen_s=now_s,
        )
        for key, problem in here.items()
    }
    gone = {key: each for key, each in known.items() if key not in now}
    over = {key: each for key, each in gone.items() if now_s - each.seen_s >= OVER_S}
    kept = now | {key: each for key, each in gone.items() if key not in over}
    return News(
        Alarms(known=tuple(kept[key] for key in sorted(kept))),
        tuple(each for key, each in sorted(now.items()) if key not in known),
        tuple(each for _, each in sorted(over.items())),
    )
