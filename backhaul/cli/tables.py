"""Tables in the terminal."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from backhaul.report import gains

COLUMNS = {
    "method": "method",
    "images_sent_total": "images",
    "bytes_sent_total": "bytes",
    "mAP50": "mAP50",
    "mAP50-95": "mAP50-95",
    "gain_init": "over initial",
    "gain_control": "over no-new-data",
    "gain_random": "over true-random",
}


def print_gains(console: Console, folder: Path) -> None:
    """Print how much better the detector got with each method, on the common test set."""
    rows = gains(pd.read_csv(folder / "summary.csv"))
    table = Table(title="mAP50 on the common test set, after the last batch")
    for name, title in COLUMNS.items():
        table.add_column(title, justify="left" if name == "method" else "right")
    for row in rows.to_dict("records"):
        table.add_row(*(_text(name, row[name]) for name in COLUMNS))
    console.print(table)


def _text(column: str, value: str | float | None) -> str:
    if value is None or pd.isna(value):
        return "-"
    if column.startswith("gain"):
        return f"{value:+.3f}"
    if column.startswith("mAP"):
        return f"{value:.3f}"
    return str(value)
