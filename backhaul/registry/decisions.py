"""Accept or reject a version, once: by the gate or by a person, and whoever is first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from backhaul.errors import InputError
from backhaul.registry.cards import Card, read_cards
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, Value, append, read_log
from backhaul.registrylayout import RegistryFiles
from backhaul.untrusted import one_line

Verdict: TypeAlias = Literal["accepted", "rejected"]
MOST_REASON = 500
"""Characters of a reason that are kept."""
_OPEN = ("candidate", "awaiting")
"""States of versions that are not decided."""
_TAKE_BACK = "`backhaul models rollback` takes it back"
_LATER = {
    "canary": _TAKE_BACK,
    "published": _TAKE_BACK,
    "rolled-back": "`backhaul models publish` publishes it again",
}
"""What a person can do with a version in a state that comes after its decision."""


def decide(
    files: RegistryFiles,
    version: int,
    verdict: Verdict,
    *,
    by: str,
    reason: str,
    values: Mapping[str, Value] | None = None,
) -> Entry:
    """Accept or reject a version, and return the entry that says so.

    To decide the same again changes nothing, and returns the first entry.

    Args:
        files: Where the registry lies.
        version: Number of the version.
        verdict: What is decided.
        by: Who decides.
        reason: Why, one line.
        values: What it is decided by.

    Raises:
        InputError: If there is no such version, or it was decided otherwise before.
    """

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        history = history_of(entries)
        if version not in history.states:
            known = ", ".join(map(str, history.states)) or "none"
            raise InputError(f"{files.run.name}@{version}: no such version; there are: {known}")
        before = history.decided.get(version)
        if before is None:
            return Entry(
                kind=verdict, version=version, by=by, reason=reason, values=dict(values or {})
            )
        if before.kind != verdict:
            raise InputError(
                f"{files.run.name}@{version}: was {before.kind} by {before.by} before: "
                f"{before.reason}"
            )
        return None

    return history_of(append(files, entry_for)).decided[version]


def reject_superseded(files: RegistryFiles, card: Card) -> None:
    """Reject what a round had trained before, where that waits for its decision.

    A round that is played again trains something else if its labels have changed meanwhile.

    Args:
        files: Where the registry lies.
        card: The version that the round has trained now.
    """
    states = history_of(read_log(files)).states
    for version, each in read_cards(files).items():
        same_round = (each.method, each.batch) == (card.method, card.batch)
        if same_round and version < card.version and states.get(version) in _OPEN:
            _reject_open(files, version, card)


def _reject_open(files: RegistryFiles, version: int, card: Card) -> None:
    """Reject a version, unless a person has decided on it meanwhile: then that stands."""
    reason = f"the round was played again: {card.name}"
    entry = Entry(kind="rejected", version=version, by=card.method, reason=reason)

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        return entry if history_of(entries).states.get(version) in _OPEN else None

    append(files, entry_for)


def ask(
    files: RegistryFiles,
    version: int,
    *,
    by: str,
    reason: str,
    values: Mapping[str, Value] | None = None,
) -> Entry:
    """Note that a version waits for a person, and return the entry that says so.

    Where somebody has decided by now, it is that entry.

    Args:
        files: Where the registry lies.
        version: Number of the version.
        by: Who asks.
        reason: What is known of it, one line.
        values: What it was judged by.
    """
    asked = Entry(
        kind="awaiting", version=version, by=by, reason=reason, values=dict(values or {})
    )

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        return None if _last(entries, version) is not None else asked

    found = _last(append(files, entry_for), version)
    assert found is not None  # noqa: S101 - it was added
    return found


def _last(entries: Sequence[Entry], version: int) -> Entry | None:
    """Return the entry that decided of a version, else the one that asked."""
    decided = history_of(entries).decided.get(version)
    asked = (e for e in entries if (e.kind, e.version) == ("awaiting", version))
    return next(asked, None) if decided is None else decided


def answer(
    files: RegistryFiles,
    version: int,
    decision: Literal["approve", "reject"],
    *,
    by: str,
    reason: str,
) -> Entry:
    """Decide of a version that waits for a person, and return the entry that says so.

    To answer the same again changes nothing.

    Args:
        files: Where the registry lies.
        version: Number of the version.
        decision: What the person says.
        by: Who it is.
        reason: Why; it is kept as one line.

    Raises:
        InputError: If there is no such version, it does not wait, it was published or taken
            back since, no reason is given, or somebody else said otherwise before.
    """
    if not (said := one_line(reason.strip(), MOST_REASON)):
        raise InputError("reason: expected why, in one line")
    state = history_of(read_log(files)).states.get(version)
    if state == "candidate":
        raise InputError(
            f"{files.run.name}@{version}: is not judged yet: expected a version that awaits "
            "approval"
        )
    if state in _LATER:
        raise InputError(
            f"{files.run.name}@{version}: is {state}: expected a version that awaits approval; "
            f"{_LATER[state]}"
        )
    verdict: Verdict = "accepted" if decision == "approve" else "rejected"
    return decide(files, version, verdict, by=by, reason=said)
