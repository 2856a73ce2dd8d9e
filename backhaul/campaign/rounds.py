"""The records of a run's rounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backhaul.campaign.recordfiles import RecordType
from backhaul.campaign.records import RoundRecord
from backhaul.errors import DamagedRecordError
from backhaul.layout import RunFiles
from backhaul.storage.objects import remove

ROUND = RecordType("round", RoundRecord)


def write_round(files: RunFiles, record: RoundRecord) -> None:
    """Store the record of a round.

    If an earlier start had another result in this round, the records of the rounds that
    followed from it are deleted, so that two starts are never mixed.
    """
    place = files.round(record.prefix)
    known = ROUND.read(place)
    if known is not None and not known.equals(record):
        _forget_after(files, record)
    ROUND.write(place, record)


def _forget_after(files: RunFiles, record: RoundRecord) -> None:
    for other in read_rounds(files):
        if other.follows(record):
            remove(files.round(other.prefix))


def read_rounds(files: RunFiles) -> tuple[RoundRecord, ...]:
    """Return all rounds of a run: the initial training, then by method and batch."""
    return ordered(ROUND.read_all(files.rounds).values())


def ordered(rounds: Iterable[RoundRecord]) -> tuple[RoundRecord, ...]:
    """Return the initial training, then the other rounds by method and batch."""
    return tuple(
        sorted(
            rounds,
            key=lambda r: (r.batch is not None, r.method, -1 if r.batch is None else r.batch),
        )
    )


def last_rounds(rounds: Sequence[RoundRecord], count: int) -> tuple[RoundRecord, ...]:
    """Return the initial training, and of all methods the last `count` batches."""
    last = max((each.batch for each in rounds if each.batch is not None), default=0)
    return tuple(each for each in rounds if each.batch is None or each.batch > last - count)


def read_round(files: RunFiles, prefix: str) -> RoundRecord:
    """Return one round of a run.

    Raises:
        DamagedRecordError: If there is none any more, or it is damaged.
    """
    place = files.round(prefix)
    record = ROUND.read(place)
    if record is None:
        raise DamagedRecordError(
            f"{place}: is missing: expected a run whose initial model is trained"
        )
    return record
