"""A page for the card of each version of a run's model."""

from __future__ import annotations

from datetime import UTC, datetime

from backhaul.layout import View
from backhaul.registry.cards import Card
from backhaul.registry.overview import Registry
from backhaul.registrylayout import card_page
from backhaul.report.models import log_table, measures_table, rules_table
from backhaul.report.templates import environment
from backhaul.report.wording import NONE, count, number, size
from backhaul.storage.objects import replace


def write_card_pages(registry: Registry, view: View) -> None:
    """Write the page of each version into the folder of a run.

    Args:
        registry: The versions.
        view: The folder.
    """
    template = environment().get_template("model.html.j2")
    for card in registry.cards.values():
        text = template.render(
            card=card,
            state=registry.state(card.version),
            facts=_facts(card),
            measures=measures_table(card),
            rules=rules_table(card),
            log=log_table(registry, card.version),
        )
        replace(card_page(view, card.version), text.encode())


def _facts(card: Card) -> dict[str, str]:
    made = f"{datetime.fromtimestamp(card.made_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    facts = {
        "made by": card.made_by,
        "made": made,
        "trained from": "nothing" if card.parent is None else f"version {card.parent}",
        "epoch": count(card.current.epoch),
        "sent for it": f"{count(card.images_sent)} images, {size(card.bytes_sent)}",
        "weights": card.current.artifact.uri,
        "SHA-256 of the weights": card.current.artifact.sha256,
        "images and splits": card.seen.content_digest,
        "digest of the config": card.config_digest or NONE,
        "commit of the code": card.code.commit or NONE,
    }
    if card.exported is not None:
        model = card.exported
        facts |= {
            "model for nodes": f"{model.file.uri} ({size(model.size_bytes)})",
            "SHA-256 of that": model.file.sha256,
        }
    if card.reevaluated is not None:
        worst = card.reevaluated.worst
        facts["mAP50 lost by the export"] = number(worst.drop)
        facts["a look takes, 95 %"] = f"{card.reevaluated.latency_p95_ms:.1f} ms"
    return facts
