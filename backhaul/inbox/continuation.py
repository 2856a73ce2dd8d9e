"""Tables of an hourly run: new rounds are appended, old rows are kept."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from backhaul.campaign.continued import TABLES, read_table, write_table
from backhaul.campaign.outcome import MethodOutcome, RunOutcome
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.rounds import read_round, read_rounds
from backhaul.campaign.runrecords import OUTCOME, RunRecords
from backhaul.campaign.runstate import RunState
from backhaul.campaign.view import write_about, write_continued
from backhaul.layout import INITIAL, RunFiles


def continue_view(
    files: RunFiles,
    labels: tuple[str, ...],
    state: RunState,
    outcomes: dict[str, MethodOutcome],
) -> tuple[RoundRecord, ...]:
    """Append the rounds that are missing in the tables of a run, and return those rounds.

    The tables are stored with the records; users read copies of them. ``run.json`` records how
    the methods ended, and the last round of each.

    Args:
        files: Where the files of the run lie.
        labels: Labels of its methods.
        state: Where it stands.
        outcomes: How the methods ended that were played.
    """
    missing = tuple(_missing(files, labels, state))
    if not missing and not outcomes:
        return ()
    if missing:
        for name in TABLES:
            write_table(files, name, _with(missing, name, files))
    else:  # the initial training may have been looked through again, and wrote its rows alone
        write_continued(RunRecords(files))
    ended = {label: MethodOutcome(state="completed") for label in labels} | outcomes
    OUTCOME.write(files.outcome, RunOutcome.of(ended))
    write_about(RunRecords(files))
    return missing


def _with(missing: tuple[RoundRecord, ...], name: str, files: RunFiles) -> pd.DataFrame:
    """Return a table with the missing rounds added.

    One that an earlier version did not keep is made of all rounds, once.
    """
    known = read_table(files, name)
    if known is None:
        return TABLES[name](read_rounds(files))
    added = pd.concat([_without(known, missing), TABLES[name](missing)], ignore_index=True)
    return added.astype({"batch": "Int64"})


def _missing(files: RunFiles, labels: Iterable[str], state: RunState) -> Iterable[RoundRecord]:
    """Yield the rounds that are not in the summary, by method and batch."""
    summary = read_table(files, "summary")
    if summary is None:
        yield read_round(files, INITIAL)
    for label in labels:
        first = 0 if summary is None else _behind(summary, label)
        for number in range(first, state.played.get(label, 0)):
            yield read_round(files, f"{label}{number}")


def _behind(summary: pd.DataFrame, label: str) -> int:
    """Return how many batches of a method a summary has."""
    known = summary.loc[summary["method"] == label, "batch"]
    return int(known.max()) + 1 if len(known) else 0


def _without(table: pd.DataFrame, records: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return the rows of other rounds; a killed run may have written rows of these."""
    rounds = {(record.method, record.batch) for record in records}
    batches = [None if pd.isna(number) else int(number) for number in table["batch"].tolist()]
    known = zip(table["method"], batches, strict=True)
    return table[[each not in rounds for each in known]]
