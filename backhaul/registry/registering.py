"""Register what a round trained as a version of the run's model."""

from __future__ import annotations

from collections.abc import Sequence

from backhaul.registry.cards import Card, put_card, read_cards
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, append
from backhaul.registrylayout import RegistryFiles


def register(files: RegistryFiles, draft: Card) -> Card:
    """Return the card of a version; it is written if the same is not there yet.

    The same are versions of one round with one checkpoint: a round that is played again finds
    the version that it made before. The card comes first, and its entry in the log after it:
    where this ends in between, the next call adds the entry.

    Args:
        files: Where the registry lies.
        draft: The card; its number is set here.
    """
    card = known(files, draft) or put_card(files, draft)

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        if card.version in history_of(entries).states:
            return None
        return Entry(
            kind="candidate", version=card.version, by=card.method, reason=card.made_by
        )

    append(files, entry_for)
    return card


def known(files: RegistryFiles, draft: Card) -> Card | None:
    """Return the card of a version of the same round with the same checkpoint, if there is.

    Args:
        files: Where the registry lies.
        draft: A card, of any number.
    """
    for card in reversed(read_cards(files).values()):
        same_round = (card.method, card.batch) == (draft.method, draft.batch)
        if same_round and card.current == draft.current:
            return card
    return None
