"""Accept or reject a version, once: by the gate or by a person, and whoever is first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from backhaul.errors import InputError
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, Value, append
from backhaul.registrylayout import RegistryFiles

Verdict: TypeAlias = Literal["accepted", "rejected"]


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
