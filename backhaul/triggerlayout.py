"""Names of what is recorded of a run's triggers: their part of the layout of a store."""

from __future__ import annotations

from backhaul.layout import RunFiles


def decisions_place(files: RunFiles) -> str:
    """Return the address of the last decisions of a run's triggers."""
    return f"{files.records}/triggers/decisions.json"
