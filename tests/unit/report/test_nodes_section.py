"""What the page says of nodes: sums over batches, and the last drift."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from backhaul.measure.names import KEYS, SUMMARY_NUMBERS
from backhaul.report import tables, views

NAN = float("nan")


def summary_of(*rows: dict[str, Any]) -> pd.DataFrame:
    unknown: dict[str, Any] = dict.fromkeys([*KEYS, *SUMMARY_NUMBERS], NAN)
    every = [unknown | {"test_set": "common", "seed": 0} | row for row in rows]
    return pd.DataFrame(every).astype({"batch": "Int64"})


def row(method: str, batch: int, seen: int, sent: int, drift: float) -> dict[str, Any]:
    told = {"frames_seen": seen, "frames_sent": sent, "psi_confidence": drift}
    return {"method": method, "batch": batch, "explored_recall": drift, **told}


def test_sums_over_batches_and_the_last_drift() -> None:
    told = tables.by_nodes(
        summary_of(
            row("arrived-a", 1, 60, 6, 0.3),
            row("arrived-a", 0, 40, 4, 0.1),
            {"method": "random", "batch": 0},
        )
    )
    assert list(told.mean.index) == ["arrived-a"]
    assert told.at("arrived-a", "frames_seen")[0] == 100
    assert told.at("arrived-a", "samples_transfer_ratio")[0] == pytest.approx(0.1)
    assert told.at("arrived-a", "psi_confidence")[0] == 0.3
    shown = views.nodes_table(told, {"random": "#000000", "arrived-a": "#ffffff"})
    assert len(shown.rows) == 1
    assert [cell.text for cell in shown.rows[0]][:2] == ["arrived-a", "100"]


def test_without_nodes_there_is_no_section() -> None:
    told = tables.by_nodes(summary_of({"method": "random", "batch": 0}))
    assert not views.nodes_table(told, {"random": "#000000"}).rows
