"""Which model of a run is meant."""

from __future__ import annotations

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords
from backhaul.errors import InputError
from backhaul.layout import INITIAL


def round_of(records: RunRecords, method: str | None, batch: int | None) -> RoundRecord:
    """Return the round of a run that trained the model which is meant.

    Args:
        records: The run.
        method: Label of the method, or ``init``; None = the only one that has played a round,
            or where none has, ``init``.
        batch: Number of the batch after which it was trained; None = the last one.

    Raises:
        InputError: If there is no such round, or several methods could be meant.
    """
    where = records.files.view.folder
    rounds = records.latest if batch is None else records.rounds
    labels = list(dict.fromkeys(each.method for each in rounds if each.batch is not None))
    if not rounds:
        raise InputError(f"{where}: no rounds there yet: expected a trained initial model")
    if method is None and len(labels) > 1:
        raise InputError(
            f"{where}: which method? Expected --method, one of {', '.join(labels)}"
        )
    wanted = method or next(iter(labels), INITIAL)
    own = [each for each in rounds if each.method == wanted]
    if not own:
        known = ", ".join((INITIAL, *labels))
        raise InputError(f"{where}: --method {wanted}: expected one of {known}")
    found = [each for each in own if batch is None or each.batch == batch]
    if not found:
        played = ", ".join(str(each.batch) for each in own if each.batch is not None)
        raise InputError(f"{where}: --round {batch}: {wanted} has {played or 'none'}")
    return found[-1]
