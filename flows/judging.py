"""Measure a candidate beside the model that it has to match, and hold it to the rules."""

from __future__ import annotations

from dataclasses import dataclass

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.setting import Play
from backhaul.learn.export.settings import Export
from backhaul.measure.gate import compared_rules, export_rules, forgetting_rules
from backhaul.measure.gatesettings import Gate
from backhaul.registry.cards import Card, read_cards
from backhaul.registry.drafting import OLD_TEST
from backhaul.registry.history import history_of
from backhaul.registry.log import read_log
from backhaul.registry.starting import basis_of
from backhaul.registrylayout import RegistryFiles
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.comparison import Comparison
from flows.arguments import step_of
from flows.exporting import export_measured
from tasks.gate import Common, compare
from tasks.series import predict_part
from tasks.stage import Step


@dataclass(frozen=True)
class Judging:
    """What is at hand to judge the model of a round.

    Args:
        config: The campaign.
        registry: Where the registry lies.
        play: The batch.
        record: The round.
    """

    config: CampaignConfig
    registry: RegistryFiles
    play: Play
    record: RoundRecord

    @property
    def step(self) -> Step:
        """The step that stages run in."""
        return step_of(self.config, self.record.method, self.record.batch)

    def card(self, draft: Card) -> Card:
        """Return a card with all that is measured for its decision, and what rules say.

        Args:
            draft: The card without them.
        """
        publish, gate = self.config.publish, self.config.accept
        if publish is not None and publish.export is not None:
            draft = self._exported(publish.export, draft)
        return self._gated(gate, draft) if isinstance(gate, Gate) else draft

    def _exported(self, settings: Export, draft: Card) -> Card:
        looking = self.config.inference.looking(draft.checkpoints)
        model, measured = export_measured(looking, draft.seen, settings, self.config, self.step)
        return draft.model_copy(update={"exported": model, "reevaluated": measured})

    def _gated(self, gate: Gate, draft: Card) -> Card:
        cards, history = read_cards(self.registry), history_of(read_log(self.registry))
        basis = basis_of(self.registry)
        assert basis is not None  # noqa: S101 - the initial model is a version
        found = self._compared(gate, draft.current, basis.current)
        before = [cards[version].figure(OLD_TEST) for version in history.champions]
        best = max((each for each in before if each is not None), default=None)
        rules = [*compared_rules(found, gate), *forgetting_rules(found.old_test, best, gate)]
        if draft.exported is not None and draft.reevaluated is not None:
            rules += export_rules(draft.exported, draft.reevaluated, gate.export)
        # of fixed and fresh frames, so not the figure of its name on the common set
        measured = {f"{found.metric} at the gate": found.candidate, "gain": found.gain}
        measures = {**draft.measures, **measured}
        return draft.model_copy(update={"measures": measures, "rules": tuple(rules)})

    def _compared(self, gate: Gate, candidate: Checkpoint, basis: Checkpoint) -> Comparison:
        common = Common(
            fixed=self.play.common,
            old_test=self.play.old_test,
            drawn=self.record.standing.drawn,
        )
        return compare(
            self._seen(candidate, common.parts),
            self._seen(basis, common.parts),
            common,
            gate.compare,
            self.config.evaluation,
            step=self.step,
        )

    def _seen(
        self, checkpoint: Checkpoint, parts: tuple[Artifact, ...]
    ) -> tuple[Artifact, ...]:
        inference, floor = self.config.inference, self.config.evaluation.conf_floor
        size = self.config.training.img_size
        return tuple(
            predict_part(images, checkpoint, inference, floor, size, step=self.step)
            for images in parts
        )
