"""Build a `Run` for reports and analyses from records and objects of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pandas as pd

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.run import (
    Findings,
    Losses,
    ProportionRow,
    Run,
    SampledBatch,
    SourceRow,
    TimingRow,
    TrainingRow,
)
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.tables import (
    classes_table,
    proportions,
    summary_table,
    timings,
    trainings,
)
from backhaul.layout import INITIAL
from backhaul.measure.names import CLASS_NUMBERS, KEYS, SUMMARY_NUMBERS
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import read_value
from backhaul.values.detections import XYXY
from backhaul.values.images import ImageSet
from backhaul.values.selections import Selection
from backhaul.values.splits import Splits

T = TypeVar("T")

SEEN_WORDS = ("file", "detected", "actual", "hit")
SEEN_NUMBERS = ("conf", "conf_std", *XYXY)
LOSSES = ("epoch", "train_loss", "valid_loss", "mAP50")


class RecordTables:
    """The tables of a run, from its records.

    Args:
        records: The run.
        rounds: Those of its rounds that count.
        labels: Its methods, in order.
    """

    def __init__(
        self, records: RunRecords, rounds: Sequence[RoundRecord], labels: Sequence[str]
    ) -> None:
        self._records, self._rounds, self._labels = records, rounds, labels

    def summary(self) -> pd.DataFrame:
        """See `backhaul.campaign.run.RunTables`."""
        table = summary_table(self._rounds) if self._rounds else None
        return plain_table(table, KEYS, SUMMARY_NUMBERS)

    def classes(self) -> pd.DataFrame:
        """See `backhaul.campaign.run.RunTables`."""
        table = classes_table(self._rounds) if self._rounds else None
        return plain_table(table, (*KEYS, "class"), CLASS_NUMBERS)

    def batches(self) -> tuple[SampledBatch, ...]:
        """See `backhaul.campaign.run.RunTables`."""
        played = [
            record
            for label in self._labels
            for record in self._rounds
            if record.method == label and record.batch is not None
        ]
        return tuple(_each(_sampled, played))

    def losses(self) -> Losses:
        """See `backhaul.campaign.run.RunTables`."""
        order = {label: place for place, label in enumerate((INITIAL, *self._labels))}
        trained = [r for r in self._rounds if r.training is not None and r.method in order]
        trained.sort(key=lambda record: order[record.method])
        return {
            (record.method, record.batch): table
            for record, table in zip(trained, _each(_losses, trained), strict=True)
        }

    def findings(self) -> Findings:
        """See `backhaul.campaign.run.RunTables`."""
        return {each.finding.name: each.finding for each in self._records.findings}


def run_of(records: RunRecords, rounds: Sequence[RoundRecord] | None = None) -> Run:
    """Build a `Run` for reports and analyses from its records.

    Args:
        records: The run.
        rounds: Those of its rounds that count; None = all.
    """
    counted = records.rounds if rounds is None else tuple(rounds)
    beginning, outcome = records.beginning, records.outcome
    known = dict.fromkeys([*outcome.methods, *(record.method for record in counted)])
    labels = tuple(label for label in known if label != INITIAL)
    starts = records.starts if rounds is None else ()
    return Run(
        place=records.files.view.folder,
        name=records.files.name,
        state=outcome.state,
        started=beginning.started.isoformat(),
        config=records.config,
        class_names=beginning.class_names,
        data=beginning.arrangement.sizes,
        methods=outcome.methods,
        sources=tuple(SourceRow(versions=each.versions, git=each.git) for each in starts),
        trainings=tuple(TrainingRow.model_validate(row) for row in trainings(counted)),
        proportions=tuple(ProportionRow.model_validate(r) for r in proportions(counted)),
        timings=tuple(TimingRow.model_validate(r) for r in timings(beginning, counted)),
        labels=labels,
        tables=RecordTables(records, counted, labels),
    )


def plain_table(
    table: pd.DataFrame | None, words: Sequence[str], numbers: Sequence[str]
) -> pd.DataFrame:
    """Return a table with exactly these columns and their types, independent of its source.

    Args:
        table: The table; None = one without rows.
        words: Columns of text, in which nothing is None; ``batch`` is a nullable number.
        numbers: Columns of numbers, in which nothing is NaN.
    """
    found = pd.DataFrame() if table is None else table
    plain = found.reindex(columns=[*words, *numbers]).astype(object)
    plain = plain.where(plain.notna(), None)
    for name in numbers:
        plain[name] = pd.to_numeric(plain[name], errors="coerce").astype(float)
    if "batch" in words:
        plain["batch"] = pd.to_numeric(plain["batch"], errors="coerce").astype("Int64")
    return plain


def plain_seen(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return a benchmark in the format of `SampledBatch`; without truth, `hit` is None."""
    plain = plain_table(table, SEEN_WORDS, SEEN_NUMBERS)
    if plain["actual"].isna().all():
        return plain.assign(hit=None)
    hit = plain["hit"].map(lambda word: None if word is None else bool(word)).astype(object)
    return plain.assign(hit=hit.where(hit.notna(), None))


def _each(call: Callable[[RoundRecord], T], records: Iterable[RoundRecord]) -> list[T]:
    """Return the result of `call` for each record; runs in parallel, as stores are slow."""
    with ThreadPoolExecutor(TRANSFERS) as threads:
        return list(threads.map(call, records))


def _sampled(record: RoundRecord) -> SampledBatch:
    assert record.batch is not None  # noqa: S101 - the initial training has no batch
    images = None if record.images is None else read_value(ImageSet, record.images)
    sent: tuple[str, ...] = ()
    reasons: dict[str, str] = {}
    n_bytes: dict[str, int] = {}
    if record.sent is not None:
        sent = tuple(read_value(ImageSet, record.sent.chosen).table["uri"])
        drawn = read_value(Selection, record.sent.selection)
        reasons = dict(zip(sent, drawn.reason.tolist(), strict=True))
        n_bytes = dict(zip(sent, drawn.size_bytes.tolist(), strict=True))
    seen = None if record.benchmark is None else read_value(pd.DataFrame, record.benchmark)
    return SampledBatch(
        method=record.method,
        batch=record.batch,
        pool=() if images is None else tuple(images.table["uri"]),
        sent=sent,
        reasons=reasons,
        n_bytes=n_bytes,
        n_objects={} if record.new is None else _n_objects(read_value(Splits, record.new)),
        seen=plain_seen(seen),
    )


def _n_objects(new: Splits) -> dict[str, int]:
    """Return how many objects each labelled image has, by path."""
    tables = [part.labelled().table for part in (new.train, new.valid, new.test)]
    return {
        uri: len(labels)
        for table in tables
        for uri, labels in zip(table["uri"], table["labels"], strict=True)
    }


def _losses(record: RoundRecord) -> pd.DataFrame:
    assert record.training is not None  # noqa: S101 - they were chosen for it
    return plain_table(read_value(pd.DataFrame, record.training.history), (), LOSSES)
