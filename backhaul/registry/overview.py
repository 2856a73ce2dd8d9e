"""The versions of a run's model with what became of them, as people look at them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from backhaul.campaign.labelled import LabelledRound, read_labelled
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
        labour_s: Seconds that annotators took for each version and its parents, by number; of
            versions for which that is known.
    """

    cards: dict[int, Card]
    entries: tuple[Entry, ...]
    history: History
    labour_s: Mapping[int, float] = field(default_factory=dict)

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
    entries, cards = read_log(files), read_cards(files)
    labelled = read_labelled(files.run).values() if cards else ()
    return Registry(cards, entries, history_of(entries), _labour(cards, labelled))


def _labour(cards: Mapping[int, Card], rounds: Collection[LabelledRound]) -> dict[int, float]:
    """Return the seconds that are known of all rounds up to that of each version."""
    known = [
        (each.method, each.batch, image.seconds)
        for each in rounds
        for image in each.images
        if each.batch is not None and image.seconds is not None
    ]
    return {
        version: sum(
            seconds
            for method, batch, seconds in known
            if method == card.method and card.batch is not None and batch <= card.batch
        )
        for version, card in cards.items()
        if known
    }
