"""Which version a round starts from."""

from __future__ import annotations

from collections.abc import Mapping

from backhaul.registry.cards import Card, read_cards
from backhaul.registry.history import history_of
from backhaul.registry.log import read_log
from backhaul.registrylayout import RegistryFiles


def start_of(files: RegistryFiles, method: str, batch: int) -> Card | None:
    """Return the card of the version that a round of the published arm starts from.

    It is the one that the log names by now. A round that is played again, as one does whose
    model waits for its decision, starts from where it started first, so that all its stages are
    cached, whatever was decided since.

    Args:
        files: Where the registry lies.
        method: Label of the arm.
        batch: Number of the batch.

    Returns:
        None where there is no version yet.
    """
    cards = read_cards(files)
    parent = _played_from(cards, method, batch)
    return basis_of(files) if parent is None else cards[parent]


def basis_of(files: RegistryFiles) -> Card | None:
    """Return the card of the version that the next round starts from and has to match.

    Where all that were accepted are taken back, it is that of the initial model.

    Args:
        files: Where the registry lies.

    Returns:
        None where there is no version yet.
    """
    cards = read_cards(files)
    basis = history_of(read_log(files)).basis
    if basis is None:
        basis = min(cards, default=None)
    return None if basis is None else cards[basis]


def _played_from(cards: Mapping[int, Card], method: str, batch: int) -> int | None:
    """Return what the round started from before; None if it was not played, or not as now.

    A round that trained nothing has no card, and started from what the next one did. Where an
    earlier round has a newer version, all behind it has yet to be played from that one.
    """
    earlier, later = [0], dict[int, Card]()
    for version, each in cards.items():
        if each.batch is None or (each.method == method and each.batch < batch):
            earlier.append(version)
        elif each.method == method:
            later[each.batch] = each
    valid = [number for number, each in later.items() if each.version > max(earlier)]
    return later[min(valid)].parent if valid else None
