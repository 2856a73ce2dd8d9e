"""Tables in the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backhaul.report.campaign import Campaign
from backhaul.report.tables import comparison

COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "images_sent_total": ("images", "{:,.0f}".format),
    "bytes_sent_total": ("kB", lambda n_bytes: f"{n_bytes / 1000:,.0f}"),
    "mAP50": ("mAP50", "{:.3f}".format),
    "mAP50-95": ("mAP50-95", "{:.3f}".format),
    "gain_init": ("initial", "{:+.3f}".format),
    "gain_control": ("control", "{:+.3f}".format),
    "gain_random": ("random", "{:+.3f}".format),
}
"""Column of the comparison: its title here, and how its values are written."""
WITHOUT_INTERVAL = ("images_sent_total", "bytes_sent_total")


def print_gains(console: Console, campaign: Campaign) -> None:
    """Print how much better the detector got with each method, on the common test set.

    Args:
        console: Where to print.
        campaign: A run, or one of several seeds: then these are means, with half the width of
            their 95 % t-interval over the seeds.
    """
    compared = comparison(campaign.summary, random=campaign.random_label)
    caption = "gains in mAP50 over the initial model, no-new-data (control), true-random"
    if len(campaign.runs) > 1:
        caption += f"; means over {len(campaign.runs)} seeds ± 95 % t-interval, gains paired"
    table = Table(
        title="After the last batch, on the common test set",
        caption=caption,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("method", no_wrap=True)
    for title, _ in COLUMNS.values():
        table.add_column(title, justify="right", min_width=len(title))
    for label in compared.mean.index:
        cells = [_cell(name, *compared.at(label, name)) for name in COLUMNS]
        table.add_row(Text(str(label)), *cells)
    console.print(table)


def _cell(name: str, mean: float, half_width: float) -> str:
    if math.isnan(mean):
        return "-"
    text = COLUMNS[name][1](mean)
    if math.isnan(half_width) or name in WITHOUT_INTERVAL:
        return text
    return f"{text} ±{half_width:.3f}"
