"""Names of what is recorded of a run's models: their part of the layout of a store."""

from __future__ import annotations

from dataclasses import dataclass

from backhaul.layout import RunFiles, View


@dataclass(frozen=True)
class RegistryFiles:
    """Addresses of the registry of one run's models.

    Args:
        run: The files of the run.
    """

    run: RunFiles

    @property
    def folder(self) -> str:
        """The folder of all of it."""
        return f"{self.run.records}/registry"

    @property
    def log(self) -> str:
        """The folder of the entries of its log."""
        return f"{self.folder}/log"

    def entry(self, number: int) -> str:
        """The entry of the log with a number, from 1."""
        return f"{self.log}/{number:08d}.json"

    @property
    def cards(self) -> str:
        """The folder of the cards of all versions."""
        return f"{self.folder}/cards"

    def card(self, version: int) -> str:
        """The card of a version, from 1."""
        return f"{self.cards}/{version:06d}.json"

    @property
    def exports(self) -> str:
        """The folder of the models for nodes that were made after a version had its card."""
        return f"{self.folder}/exports"

    def export(self, version: int) -> str:
        """The model for nodes of a version, from 1."""
        return f"{self.exports}/{version:06d}.json"

    def probation(self, version: int) -> str:
        """What was seen of a version on its probation, from 1."""
        return f"{self.folder}/probations/{version:06d}.json"


def card_page(view: View, version: int) -> str:
    """Return where the page of a version lies that people look at."""
    return f"{view.folder}/{card_page_name(version)}"


def card_page_name(version: int) -> str:
    """Return the name of that page below the folder of the run."""
    return f"models/{version}.html"
