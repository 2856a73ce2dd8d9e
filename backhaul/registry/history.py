"""What is true of a run's models by now: which version is champion, candidate, canary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from backhaul.registry.log import Entry

State: TypeAlias = Literal[
    "candidate", "awaiting", "accepted", "rejected", "canary", "published", "rolled-back"
]

_STATES: dict[str, State] = {
    "candidate": "candidate",
    "awaiting": "awaiting",
    "accepted": "accepted",
    "rejected": "rejected",
    "canary": "canary",
    "published": "published",
    "promoted": "published",
    "rolled-back": "rolled-back",
}
"""What a version is after an entry of a kind; other kinds change nothing."""


@dataclass(frozen=True, slots=True)
class History:
    """What follows from a registry's log.

    Args:
        states: What became of each version so far, by number.
        decided: The entry that accepted or rejected each version, by number, in the order of
            their first decision.
        champions: The versions that were accepted for good, the present champion last. One that
            was on probation comes back to its place: others may have been accepted meanwhile.
        canary: The version on probation on the first nodes.
        candidate: The version that waits for its decision.
    """

    states: dict[int, State] = field(default_factory=dict)
    decided: dict[int, Entry] = field(default_factory=dict)
    champions: tuple[int, ...] = ()
    canary: int | None = None
    candidate: int | None = None

    @property
    def champion(self) -> int | None:
        """The version that nodes are to run; None before the first."""
        return self.champions[-1] if self.champions else None

    @property
    def basis(self) -> int | None:
        """The version that the next round starts from, and that a candidate has to match.

        That is the canary, unless a later version was accepted meanwhile.
        """
        champion, canary, order = self.champion, self.canary, [*self.decided]
        if champion is None or canary is None:
            return canary or champion
        decided = champion in order and canary in order
        is_later = decided and order.index(champion) > order.index(canary)
        return champion if is_later else canary

    @property
    def aliases(self) -> dict[str, int]:
        """The versions that have a name of their own."""
        every = {
            "champion": self.champion,
            "candidate": self.candidate,
            "canary": self.canary,
        }
        return {name: version for name, version in every.items() if version is not None}


def history_of(entries: Iterable[Entry]) -> History:
    """Return what follows from a log, from its first entry on."""
    history = History()
    for entry in entries:
        if entry.version is not None:
            history = _after(history, entry, entry.version)
    return history


def _after(history: History, entry: Entry, version: int) -> History:
    state = _STATES.get(entry.kind)
    if state is None:
        return history
    after = replace(history, states={**history.states, version: state})
    if entry.kind in ("accepted", "rejected"):
        after = _decided(after, entry, version)
    if state in ("candidate", "awaiting"):
        after = replace(after, candidate=version)
    if state in ("accepted", "published"):
        after = _accepted(after, version)
    if entry.kind == "promoted":
        after = _in_turn(after)
    if state in ("canary", "rolled-back"):
        after = _off(after, version)
    return replace(after, canary=version) if state == "canary" else after


def _decided(history: History, entry: Entry, version: int) -> History:
    waits = None if history.candidate == version else history.candidate
    return replace(history, decided={**history.decided, version: entry}, candidate=waits)


def _accepted(history: History, version: int) -> History:
    """Return a history in which a version is champion, and no longer on probation."""
    before = tuple(each for each in history.champions if each != version)
    canary = None if history.canary == version else history.canary
    return replace(history, champions=(*before, version), canary=canary)


def _in_turn(history: History) -> History:
    """Return a history whose champions are in the order in which they were accepted."""
    *before, promoted = history.champions
    order = [*history.decided]
    if promoted not in order:
        return history
    later = order[order.index(promoted) + 1 :]
    at = next((n for n, each in enumerate(before) if each in later), len(before))
    return replace(history, champions=(*before[:at], promoted, *before[at:]))


def _off(history: History, version: int) -> History:
    """Return a history in which a version is champion and canary no more."""
    champions = tuple(each for each in history.champions if each != version)
    canary = None if history.canary == version else history.canary
    return replace(history, champions=champions, canary=canary)
