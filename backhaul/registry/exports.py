"""The model for nodes of a version, made with its card or after it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.registry.cards import Card
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.conditional import create
from backhaul.values.results import NodeModel, Reevaluated


class Exported(BaseModel):
    """A model for nodes that was made after its version had a card, which never changes.

    Args:
        model: The model.
        reevaluated: What it reaches.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: NodeModel
    reevaluated: Reevaluated


EXPORTED = RecordType("exported version", Exported)


def exported_of(files: RegistryFiles, card: Card) -> NodeModel | None:
    """Return the model for nodes of a version; None if none was made yet."""
    if card.exported is not None:
        return card.exported
    made = EXPORTED.read(files.export(card.version))
    return None if made is None else made.model


def put_exported(files: RegistryFiles, card: Card, exported: Exported) -> NodeModel:
    """Record the model for nodes of a version, and return the one that holds: the first."""
    create(files.export(card.version), EXPORTED.encode(exported, files.run.root))
    return exported_of(files, card) or exported.model
