"""The models of the published arm: registered as versions, judged, and started from.

Evaluation comes before the decision, and what is decided is in the log of the registry before
the round is recorded. So a start that was killed in between finds what it needs, and decides
nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import get_args

from prefect import get_run_logger

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord, Verdict
from backhaul.campaign.rounds import read_round
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.setting import Play
from backhaul.layout import INITIAL, RunFiles
from backhaul.measure.gate import reason_of, require_classes, ruling
from backhaul.measure.gateerror import chance_of_any, expected_a_year
from backhaul.measure.gatesettings import Gate
from backhaul.registry.cards import Card
from backhaul.registry.decisions import ask, decide, reject_superseded
from backhaul.registry.drafting import draft as card_of
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, Value, read_log
from backhaul.registry.registering import known, register
from backhaul.registry.starting import start_of
from backhaul.registrylayout import RegistryFiles
from backhaul.values.comparison import Measure, Ruling
from flows.judging import Judging

UNJUDGED = ("initial", "always")
"""Who decides without a comparison."""
_RULINGS: Mapping[str, Ruling] = {each: each for each in get_args(Ruling)}


def publishes(config: CampaignConfig, label: str) -> bool:
    """Return whether the models of an arm are registered."""
    return config.publish is not None and config.publish.method == label


def register_first(config: CampaignConfig, files: RunFiles, label: str) -> None:
    """Register the initial model as a version, and accept it; nothing for any other arm.

    Raises:
        InputError: If a rule of the gate is of a class that there is not.
    """
    if publishes(config, label):
        if isinstance(config.accept, Gate):
            require_classes(config.accept, RunRecords(files).beginning.class_names)
        registry = RegistryFiles(files)
        card = register(registry, card_of(registry, read_round(files, INITIAL), None))
        decide(registry, card.version, "accepted", by="initial", reason="the initial model")


def start_card(config: CampaignConfig, files: RunFiles, label: str, number: int) -> Card | None:
    """Return the card of the model that a round of an arm starts from: the last good one.

    Args:
        config: The campaign.
        files: Where the files of the run lie.
        label: Label of the arm.
        number: Number of the batch.

    Returns:
        None for an arm that is not published: it starts from where it stands.
    """
    return start_of(RegistryFiles(files), label, number) if publishes(config, label) else None


def decided(
    config: CampaignConfig,
    files: RunFiles,
    play: Play,
    record: RoundRecord,
    start: Card | None,
) -> RoundRecord:
    """Return a round with what became of its model; as it is where nothing was trained.

    Where a person has to decide, the verdict is ``awaiting``.

    Args:
        config: The campaign.
        files: Where the files of the run lie.
        play: The batch.
        record: The round.
        start: The card of the model that it was trained from, see `start_card`. The registry
            may name another by now, as a version may be rolled back while one is trained.
    """
    if start is None or record.training is None:
        return record
    registry = RegistryFiles(files)
    draft = card_of(registry, record, start.version)
    judged = known(registry, draft) or Judging(config, registry, play, record).card(draft)
    card = register(registry, judged)
    reject_superseded(registry, card)
    entry = _decision(config, registry, card)
    verdict = Verdict(
        version=card.version,
        parent=card.parent,
        candidate=card.current,
        ruling=_RULINGS[entry.kind],
        by=entry.by,
        reason=entry.reason,
    )
    said = (card.name, verdict.ruling, verdict.by, verdict.reason)
    get_run_logger().info("%s: %s by %s: %s", *said)
    after = record.model_copy(update={"verdict": verdict})
    if verdict.ruling != "rejected":
        return after
    return after.model_copy(update={"standing": start.stand(record.standing)})


def _decision(config: CampaignConfig, registry: RegistryFiles, card: Card) -> Entry:
    """Return the entry that decides of a version, or that asks a person to."""
    before = history_of(read_log(registry)).decided.get(card.version)
    if before is not None:
        return before
    gate = config.accept
    if not isinstance(gate, Gate):
        reason = "every round's model is accepted"
        return decide(registry, card.version, "accepted", by="always", reason=reason)
    said, reason = ruling(card.rules, gate), reason_of(card.rules)
    values = _values(registry, card, gate)
    if said == "awaiting":
        return ask(registry, card.version, by="gate", reason=reason, values=values)
    return decide(registry, card.version, said, by="gate", reason=reason, values=values)


def _values(registry: RegistryFiles, card: Card, gate: Gate) -> dict[str, Value]:
    """Return what a decision was made by, and how often so many of them are wrong."""
    decided = history_of(read_log(registry)).decided.values()
    before = sorted(each.at_s for each in decided if each.by not in UNJUDGED)
    times = [*before, time.time()]
    gain = card.measures.get("gain", Measure(value=None))
    alpha = gate.compare.alpha
    return {
        "gain": gain.value,
        "gain_low": gain.low,
        "images": gain.n,
        "alpha": alpha,
        "rounds": len(times),
        "any_wrong": chance_of_any(alpha, len(times)),
        "wrong_a_year": expected_a_year(alpha, times),
    }
