"""The card of what a round trained, before it is registered."""

from __future__ import annotations

import math

import pandas as pd

from backhaul.campaign.claim import without_resources
from backhaul.campaign.provenance import GitState
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords
from backhaul.identity import content_digest
from backhaul.registry.cards import Card
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import read_value
from backhaul.values.comparison import Measure

OLD_TEST = "mAP50 on old_test"
MEASURED = {
    "mAP50": ("common", "mAP50"),
    "mAP50-95": ("common", "mAP50-95"),
    OLD_TEST: ("old_test", "mAP50"),
}
"""The figures of a card that are metrics: of which test set, and which."""


def draft(files: RegistryFiles, record: RoundRecord, parent: int | None) -> Card:
    """Return the card of what a round trained; its number is set when it is registered.

    Args:
        files: Where the registry lies.
        record: The round, with its own model as its standing.
        parent: Number of the version that it was trained from; None of the first.
    """
    records, standing = RunRecords(files.run), record.standing
    start = records.last_start
    return Card(
        version=0,
        run=files.run.name,
        method=record.method,
        batch=record.batch,
        parent=parent,
        checkpoints=standing.checkpoints,
        current=standing.current,
        seen=standing.seen,
        images_sent=standing.images_sent,
        bytes_sent=standing.bytes_sent,
        config_digest=content_digest(without_resources(records.config)),
        code=GitState() if start is None else start.git,
        versions={} if start is None else start.versions,
        evaluation=record.evaluation,
        measures=_measures(record),
    )


def _measures(record: RoundRecord) -> dict[str, Measure]:
    table = read_value(pd.DataFrame, record.evaluation)
    overall = table[table["class"] == ""]
    found = {}
    for figure, (test_set, metric) in MEASURED.items():
        row = overall[overall["test_set"] == test_set]
        if len(row):
            value = float(row[metric].iloc[0])
            known = None if math.isnan(value) else value
            found[figure] = Measure(value=known, n=int(row["n_images"].iloc[0]))
    return found
