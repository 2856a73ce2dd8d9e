"""The card of a version: where it comes from, what it was trained on, and what it reaches."""

from __future__ import annotations

import time

from pydantic import BaseModel, ConfigDict, Field

from backhaul.campaign.keptrecords import read_written_once
from backhaul.campaign.provenance import GitState
from backhaul.campaign.recordfiles import RecordType
from backhaul.campaign.records import Standing
from backhaul.errors import InputError
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.conditional import create
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.comparison import Measure, Rule
from backhaul.values.results import NodeModel, Reevaluated

__all__ = ["CARD", "Card", "Measure", "Rule", "put_card", "read_card", "read_cards"]


class Card(BaseModel):
    """A version of a run's model; never changed once it is written.

    Args:
        version: Its number, from 1.
        run: Name of the run.
        method: Label of the method whose round made it, or ``init``.
        batch: Number of the batch; None of the initial training.
        made_s: When it was registered, seconds since 1970.
        parent: Number of the version that it was trained from; None of the first.
        checkpoints: Checkpoints of its ensemble and before, oldest first.
        current: The one that is evaluated, exported, and trained on.
        seen: All `Splits` that it and its parents were trained, validated and tested on.
        images_sent: Images that were sent for it and its parents.
        bytes_sent: Bytes of those.
        config_digest: Digest of the run's config.
        code: Commit of the code that registered it.
        versions: Versions of the software.
        evaluation: Table of metrics by test set and class.
        measures: Figures by name, for example ``mAP50``, which is that on the common set,
            ``mAP50 at the gate``, which is that on all frames of the comparison, and ``gain``.
        rules: What the gate found, in order.
        exported: The model for nodes that was made of it.
        reevaluated: What that reaches.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int
    run: str
    method: str
    batch: int | None
    made_s: float = Field(default_factory=time.time)
    parent: int | None = None
    checkpoints: tuple[Checkpoint, ...]
    current: Checkpoint
    seen: Artifact
    images_sent: int = 0
    bytes_sent: int = 0
    config_digest: str = ""
    code: GitState = GitState()
    versions: dict[str, str] = {}
    evaluation: Artifact
    measures: dict[str, Measure] = {}
    rules: tuple[Rule, ...] = ()
    exported: NodeModel | None = None
    reevaluated: Reevaluated | None = None

    @property
    def name(self) -> str:
        """What people call it: ``RUN@VERSION``."""
        return f"{self.run}@{self.version}"

    @property
    def made_by(self) -> str:
        """The round that made it."""
        return self.method if self.batch is None else f"{self.method}, batch {self.batch}"

    def figure(self, name: str) -> float | None:
        """Return a figure without its interval; None where it was not measured."""
        return self.measures[name].value if name in self.measures else None

    def stand(self, standing: Standing) -> Standing:
        """Return a method's standing with this version as its model, and its own images."""
        model = {"checkpoints": self.checkpoints, "current": self.current}
        return standing.model_copy(update=model)


CARD = RecordType("model card", Card)


def read_cards(files: RegistryFiles) -> dict[int, Card]:
    """Return the cards of all versions by number, in order."""
    return {each.version: each for each in read_written_once(CARD, files.cards).values()}


def read_card(files: RegistryFiles, version: int) -> Card:
    """Return the card of a version.

    Raises:
        InputError: If there is no such version.
    """
    card = CARD.read(files.card(version))
    if card is None:
        known = ", ".join(str(number) for number in read_cards(files)) or "none"
        raise InputError(f"{files.run.name}@{version}: no such version; there are: {known}")
    return card


def put_card(files: RegistryFiles, draft: Card) -> Card:
    """Write a card under the next free number, and return it.

    Args:
        files: Where the registry lies.
        draft: The card; its number is set here.
    """
    while True:
        known = read_cards(files)
        card = draft.model_copy(update={"version": max(known, default=0) + 1})
        if create(files.card(card.version), CARD.encode(card, files.run.root)):
            return card
