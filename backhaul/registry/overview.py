"""The versions of a run's model with what became of them, as people look at them."""

from __future__ import annotations

from dataclasses import dataclass

from backhaul.registry.cards import Card, read_cards
from backhaul.registry.history import History, history_of
from backhaul.registry.log import Entry, read_log
from backhaul.registrylayout import RegistryFiles


@dataclass(frozen=True, slots=True)
class Registry:
    """All that is recorded of a run's models, read at one moment.

    Args:
        cards: The versions by number, in order.
        entries: The log, the first entry first.
        history: What follows from it.
    """

    cards: dict[int, Card]
    entries: tuple[Entry, ...]
    history: History

    def state(self, version: int) -> str:
        """Return what a version is now, in words: its aliases, else what became of it."""
        names = [name for name, each in self.history.aliases.items() if each == version]
        state = self.history.states.get(version, "not registered to its end")
        if state == "awaiting":
            return "awaits approval"
        return ", ".join(names) or ("replaced" if state in _WAS_GOOD else state)

    def of(self, version: int) -> list[Entry]:
        """Return the entries of a version, the first one first."""
        return [entry for entry in self.entries if entry.version == version]

    def verdict(self, version: int) -> Entry | None:
        """Return the entry that accepted or rejected a version; None where none has yet."""
        return self.history.decided.get(version)


_WAS_GOOD = ("accepted", "published")


def read_registry(files: RegistryFiles) -> Registry:
    """Return all that is recorded of a run's models; empty where nothing is."""
    entries = read_log(files)
    return Registry(read_cards(files), entries, history_of(entries))
