"""Tables of a run that continues hour by hour: kept with its records, shown in its folder.

They have rows by method and batch, so an hour adds its own rows and reads no earlier round.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.tables import (
    checkpoints_table,
    classes_table,
    nodes_table,
    summary_table,
)
from backhaul.layout import RunFiles, View
from backhaul.storage.conditional import read_or_none
from backhaul.storage.damaged import set_aside
from backhaul.storage.objects import remove, replace
from backhaul.values.roots import Roots

TABLES: Mapping[str, Callable[[Iterable[RoundRecord]], pd.DataFrame]] = {
    "classes": classes_table,
    "checkpoints": checkpoints_table,
    "nodes": nodes_table,
    "summary": summary_table,  # the last: what an hour adds to it is there
}
"""How each table is made of rounds, by its name."""

WORDS = (
    *("method", "test_set", "class", "file", "uri", "sha256", "node", "policy", "model"),
    "verdict",
)
"""Columns of text: a class may be called 01, or None."""


def read_table(files: RunFiles, name: str) -> pd.DataFrame | None:
    """Return a table as it was written; None if it was not yet, or is damaged."""
    data = read_or_none(place := files.continued(name))
    if data is None:
        return None
    words = dict.fromkeys(WORDS, str)
    try:
        table = pd.read_csv(
            io.BytesIO(data), dtype=words, keep_default_na=False, na_values=[""]
        )
        return _with_places(table.astype({"batch": "Int64"}), Roots(store=files.root).absolute)
    except Exception as error:  # whatever is there in place of a table
        set_aside(place, f"cannot be read ({type(error).__name__})")
        return None


def write_table(files: RunFiles, name: str, table: pd.DataFrame) -> None:
    """Show a table in the folder of the run, then keep it; kept, it may move with its store."""
    show_table(files.view, name, table)
    replace(files.continued(name), _csv(_with_places(table, Roots(store=files.root).relative)))


def show_table(view: View, name: str, table: pd.DataFrame) -> None:
    """Write a table into the folder of a run, if it has rows."""
    if len(table):
        replace(view.table(name), _csv(table))


def forget_tables(files: RunFiles) -> None:
    """Let the next hour make all tables of the records of all rounds."""
    for name in TABLES:
        remove(files.continued(name))


def _with_places(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    return table.assign(uri=table["uri"].map(change)) if "uri" in table else table


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()
