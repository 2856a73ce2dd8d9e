"""Tables of an hourly run: new rounds are appended, old rows are kept."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pandas as pd

from backhaul.campaign.outcome import MethodOutcome, RunOutcome
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.rounds import read_round
from backhaul.campaign.runrecords import OUTCOME, RunRecords
from backhaul.campaign.runstate import RunState
from backhaul.campaign.tables import classes_table, summary_table
from backhaul.campaign.view import write_about
from backhaul.layout import INITIAL, RunFiles
from backhaul.storage.conditional import read_or_none
from backhaul.storage.objects import read_uri, replace


def continue_view(
    files: RunFiles,
    labels: tuple[str, ...],
    state: RunState,
    outcomes: dict[str, MethodOutcome],
) -> tuple[RoundRecord, ...]:
    """Append the rounds that are missing in the tables of a run, and return the tables.

    The tables are stored with the records; users read copies of them. ``run.json`` records how
    the methods ended. It lists no rounds, so it does not grow.

    Args:
        files: Where the files of the run lie.
        labels: Labels of its methods.
        state: Where it stands.
        outcomes: How the methods ended that were played.
    """
    summary = read_table(files.continued("summary"))
    missing = tuple(_missing(files, summary, labels, state))
    if not missing and not outcomes:
        return ()
    if missing:
        known = read_table(files.continued("classes"))
        classes = _joined(_without(known, missing), classes_table(missing))
        _write(files.continued("classes"), files.view.classes, classes)
        whole = _joined(summary, summary_table(missing))  # the last: it tells what is there
        _write(files.continued("summary"), files.view.summary, whole)
    else:  # the initial training may have been looked through again, and wrote its rows alone
        for shown, name in ((files.view.summary, "summary"), (files.view.classes, "classes")):
            replace(shown, read_uri(files.continued(name)))
    ended = {label: MethodOutcome(state="completed") for label in labels} | outcomes
    OUTCOME.write(files.outcome, RunOutcome.of(ended))
    write_about(RunRecords(files), ())
    return missing


def _missing(
    files: RunFiles, summary: pd.DataFrame, labels: Iterable[str], state: RunState
) -> Iterable[RoundRecord]:
    """Yield the rounds that are not in the summary, by method and batch."""
    if summary.empty:
        yield read_round(files, INITIAL)
    for label in labels:
        known = summary.loc[summary["method"] == label, "batch"]
        first = int(known.max()) + 1 if len(known) else 0
        for number in range(first, state.played.get(label, 0)):
            yield read_round(files, f"{label}{number}")


def _without(table: pd.DataFrame, records: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return the rows of other rounds; a killed run may have written rows of these."""
    rounds = {(record.method, record.batch) for record in records}
    batches = [None if pd.isna(number) else int(number) for number in table["batch"].tolist()]
    known = zip(table["method"], batches, strict=True)
    return table[[each not in rounds for each in known]]


def read_table(uri: str) -> pd.DataFrame:
    """Return a table of a run as it was written; empty if it does not exist."""
    data = read_or_none(uri)
    if data is None:
        return pd.DataFrame(columns=["method", "batch"])
    words = {"method": str, "test_set": str, "class": str}  # a class may be called 01, or None
    return pd.read_csv(io.BytesIO(data), dtype=words, keep_default_na=False, na_values=[""])


def _joined(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    tables = [old, new] if len(old) else [new]
    return pd.concat(tables, ignore_index=True).astype({"batch": "Int64"})


def _write(kept: str, shown: str, table: pd.DataFrame) -> None:
    data = table.to_csv(index=False).encode()
    replace(shown, data)
    replace(kept, data)
