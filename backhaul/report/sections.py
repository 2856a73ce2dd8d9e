"""Section of each method on the page: its figures and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from backhaul.campaign.run import CONTROL
from backhaul.layout import INITIAL
from backhaul.report import figures, pictures, tables, wording
from backhaul.report.campaign import Campaign
from backhaul.report.pictures import Album, RoundPictures
from backhaul.report.plot import Figure


@dataclass(frozen=True, slots=True)
class MethodSection:
    """One method on the page.

    Args:
        label: The method.
        colour: Its colour.
        note: Summary of the ensemble's detections, as text.
        seen: Titles and ids of the figures of what it saw and sent.
        losses: Id of the figure of its losses, empty if there is none.
        rounds: Its pictures.
    """

    label: str
    colour: str
    note: str
    seen: tuple[tuple[str, str], ...]
    losses: str
    rounds: tuple[RoundPictures, ...]


def method_section(
    campaign: Campaign, label: str, colour: str, album: Album, charts: dict[str, Figure]
) -> MethodSection:
    """Return one method's section; its figures are added to `charts`.

    What was seen and sent is taken from all seeds, losses and pictures from the first.

    Args:
        campaign: The runs that the page shows.
        label: Label of the method.
        colour: Colour of the method.
        album: Collects the thumbnails.
        charts: Figures of the page by id; those of the method are added.
    """
    key = f"method-{len(charts)}"
    first = campaign.runs[0]
    seen = tables.seen_by(campaign.batches(label))
    drawn = _seen_figures(seen, campaign.class_names, label, colour)
    charts |= {f"{key}-{name}": figure for name, _, figure in drawn}
    logs = [(b, log) for (method, b), log in first.losses.items() if method in (INITIAL, label)]
    if logs:
        charts[f"{key}-loss"] = figures.losses(logs)
    return MethodSection(
        label=label,
        colour=colour,
        note=_seen_note(seen),
        seen=tuple((title, f"{key}-{name}") for name, title, _ in drawn),
        losses=f"{key}-loss" if logs else "",
        rounds=_pictures(campaign, label, album) if label != CONTROL else (),
    )


def _seen_figures(
    seen: pd.DataFrame, class_names: tuple[str, ...], label: str, colour: str
) -> list[tuple[str, str, Figure]]:
    """Return name, title and figure; the control arm sends nothing to compare."""
    if not seen["detected"].notna().any():
        return []
    balance = figures.class_balance(tables.class_balance(seen), class_names, colour)
    found: list[tuple[str, str, Figure]] = []
    if balance is not None:
        found.append(("balance", "classes, pool and sent", balance))
    if label != CONTROL:
        found.append(
            (
                "sent",
                "confidence, pool and sent",
                figures.pool_and_sent(seen, colour),
            )
        )
    return [*found, ("hits", "confidence, hits and misses", figures.hits_and_misses(seen))]


def _seen_note(seen: pd.DataFrame) -> str:
    detections = seen["detected"].notna()
    sent, hits = int((detections & seen["sent"]).sum()), int(seen["hit"].eq(True).sum())
    known, missed = seen.loc[detections, "hit"].notna().any(), int((~detections).sum())
    text = f"{wording.plural(int(detections.sum()), 'detection')}, {sent:,} on images sent"
    if known:
        text += f"; {wording.plural(hits, 'hit')}, {missed:,} objects missed"
    return text


def _pictures(campaign: Campaign, label: str, album: Album) -> tuple[RoundPictures, ...]:
    rounds = campaign.runs[0].batches
    shown = pictures.shown_rounds(r for r in rounds if r.method != CONTROL)
    each = pictures.per_side(len(shown))
    return tuple(pictures.round_pictures(r, album, each) for r in shown if r.method == label)
