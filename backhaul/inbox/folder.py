"""A run's folder hour by hour: its tables are continued, not made again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

import pandas as pd

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.folder import MethodOutcome, Overview, run_json, write_csv
from backhaul.campaign.records import INITIAL, RoundRecord, read_beginning, read_record
from backhaul.campaign.tables import classes_table, summary_table
from backhaul.inbox.state import RunState
from backhaul.storage.conditional import read_or_none
from backhaul.storage.objects import replace

TOTALS = ["images_sent_total", "bytes_sent_total"]


def continue_folder(
    folder: str, config: CampaignConfig, state: RunState, outcomes: dict[str, MethodOutcome]
) -> tuple[RoundRecord, ...]:
    """Add the rounds to the tables of a run that are not there yet, and return them.

    ``run.json`` says how the methods ended. It names no rounds, so that it does not grow: they
    lie under ``rounds/``, and `backhaul report` gathers them.

    Args:
        folder: The run's folder.
        config: Its config.
        state: Where it stands.
        outcomes: How the methods ended that were played.
    """
    summary = read_table(f"{folder}/summary.csv")
    labels = [arm.label for arm in config.arms]
    records = tuple(_missing(folder, summary, labels, state))
    if not records and not outcomes:
        return ()
    if records:
        classes = classes_table(list(records))
        known = read_table(f"{folder}/classes.csv")
        _append(f"{folder}/classes.csv", _without(known, records), classes)
        new = summary_table(list(records))  # the last, since it tells what is there
        _append(f"{folder}/summary.csv", summary, _with_totals(new, summary))
    ended = {label: MethodOutcome(state="completed") for label in labels} | outcomes
    overview = Overview(config=config, beginning=read_beginning(folder)).ended(ended)
    text = json.dumps(run_json(overview, []), indent=1, allow_nan=False)
    replace(f"{folder}/run.json", text.encode())
    return records


def _missing(
    folder: str, summary: pd.DataFrame, labels: Iterable[str], state: RunState
) -> Iterable[RoundRecord]:
    """Yield the records of the rounds that are not in the summary, by method and batch."""
    if summary.empty:
        yield read_record(folder, INITIAL)
    for label in labels:
        known = summary.loc[summary["method"] == label, "batch"]
        first = int(known.max()) + 1 if len(known) else 0
        for number in range(first, state.played.get(label, 0)):
            yield read_record(folder, f"{label}{number}")


def _without(table: pd.DataFrame, records: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return the rows of other rounds: a start that was killed may have written these."""
    rounds = {(record.method, record.batch) for record in records}
    batches = [None if pd.isna(number) else int(number) for number in table["batch"].tolist()]
    known = zip(table["method"], batches, strict=True)
    return table[[each not in rounds for each in known]]


def _with_totals(new: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return new rows with what was sent before counted in."""
    before = summary.groupby("method")[TOTALS].max()
    sent = before.reindex(new["method"]).fillna(0).astype("int64").to_numpy()
    return new.assign(**{name: new[name] + sent[:, k] for k, name in enumerate(TOTALS)})


def read_table(uri: str) -> pd.DataFrame:
    """Return a table of a run's folder as it was written; one that is not there is empty."""
    data = read_or_none(uri)
    if data is None:
        return pd.DataFrame(columns=["method", "batch", *TOTALS])
    words = {"method": str, "test_set": str, "class": str}  # a class may be called 01, or None
    return pd.read_csv(io.BytesIO(data), dtype=words, keep_default_na=False, na_values=[""])


def _append(uri: str, old: pd.DataFrame, new: pd.DataFrame) -> None:
    tables = [old, new] if len(old) else [new]
    write_csv(uri, pd.concat(tables, ignore_index=True).astype({"batch": "Int64"}))
