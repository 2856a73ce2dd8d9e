"""The page of a simulated fleet: what was seen, chosen, and came home, by policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from backhaul.campaign.finding import Chart, Finding, Series
from backhaul.node.fleetplay import Outcome
from backhaul.node.fleetsettings import FleetConfig
from backhaul.report.findings import show_findings
from backhaul.report.plot import Figure, method_colours
from backhaul.report.templates import environment

_COLUMNS = (
    "policy",
    "seen",
    "looked at",
    "chosen",
    "sent",
    "given up",
    "waiting",
    "distinct images",
    "MB sent",
    "MB on the wire",
    "MB sent again",
    "value, share of the bound",
)


def write_fleet_page(config: FleetConfig, outcomes: Sequence[Outcome], folder: Path) -> Path:
    """Write ``index.html``, which needs nothing but itself, and return where it lies.

    Args:
        config: The fleet.
        outcomes: What each policy brought home.
        folder: Where it is written.
    """
    figures: dict[str, Figure] = {}
    colours = method_colours([outcome.policy for outcome in outcomes])
    shown, _ = show_findings({"fleet": fleet_finding(config, outcomes)}, colours, figures)
    text = (
        environment()
        .get_template("fleet.html.j2")
        .render(
            name=config.name,
            found=shown,
            figures=figures,
            config=yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False),
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - the installed package's own script
        )
    )
    page = folder / "index.html"
    page.write_text(text, encoding="utf-8")
    return page


def fleet_finding(config: FleetConfig, outcomes: Sequence[Outcome]) -> Finding:
    """Return what a fleet brought home as a table and a chart."""
    return Finding(
        name="fleet",
        title=f"{config.nodes} nodes, {config.hours:g} hours",
        note=(
            "The bound is the most value that anybody could have brought home who had known "
            "all frames and links beforehand. The value of a frame is the rank of its utility "
            "among all images. It counts once for a node, however often its camera sees that "
            "image. Images that a policy passes over as near-duplicates of others count as "
            "well, so a policy that looks for what differs does not only go by that."
        ),
        columns=_COLUMNS,
        rows=tuple(_row(outcome) for outcome in outcomes),
        charts=(
            Chart(
                title="Value that had arrived, as a share of the bound",
                x_title="hours",
                y_title="share of the bound",
                series=tuple(_series(outcome) for outcome in outcomes),
            ),
        ),
    )


def _row(outcome: Outcome) -> tuple[float | int | str, ...]:
    totals = outcome.totals
    counts = [totals.get(name, 0) for name in ("seen", "looked", "chosen", "sent", "displaced")]
    sizes = (totals.get("sent_bytes", 0), totals.get("up_bytes", 0), outcome.again_bytes)
    return (
        outcome.policy,
        *counts,
        totals.get("waiting", 0),
        outcome.scenes,
        *(round(size / 1e6, 2) for size in sizes),
        round(outcome.share, 3),
    )


def _series(outcome: Outcome) -> Series:
    pairs = zip(outcome.arrived.tolist(), outcome.bound.tolist(), strict=True)
    return Series(
        name=outcome.policy,
        x=tuple((outcome.cuts_s / 3_600).tolist()),
        y=tuple(has / most if most else None for has, most in pairs),
    )
