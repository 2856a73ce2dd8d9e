"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from backhaul.report import gains
from backhaul.rundata import read_run

COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "method": ("method", str),
    "images_sent_total": ("images", "{:,.0f}".format),
    "bytes_sent_total": ("kB", lambda n_bytes: f"{n_bytes / 1000:,.0f}"),
    "mAP50": ("mAP50", "{:.3f}".format),
    "mAP50-95": ("mAP50-95", "{:.3f}".format),
    "gain_init": ("initial", "{:+.3f}".format),
    "gain_control": ("control", "{:+.3f}".format),
    "gain_random": ("random", "{:+.3f}".format),
}
"""Column of the table of gains: its title here, and how its values are written."""


def print_gains(console: Console, folder: Path) -> None:
    """Print how much better the detector got with each method, on the common test set.

    Args:
        console: Where to print.
        folder: The run's folder.
    """
    run = read_run(folder)
    rows = gains(run.summary, random=run.record.random_label)
    table = Table(
        title="After the last batch, on the common test set",
        caption="gains in mAP50 over the initial model, no-new-data (control), true-random",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for title, _ in COLUMNS.values():
        left = title == "method"
        table.add_column(title, justify="left" if left else "right", no_wrap=left)
    for row in rows.to_dict("records"):
        table.add_row(
            *("-" if pd.isna(row[n]) else write(row[n]) for n, (_, write) in COLUMNS.items())
        )
    console.print(table)
