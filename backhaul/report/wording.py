"""Numbers as text, and the result of a run in words."""

from __future__ import annotations

import math

import pandas as pd

from backhaul.report import tables
from backhaul.rundata import CONTROL, RunRecord

NONE = "-"
MINUTE_S, HOUR_S = 60, 3600
ROUNDS_TO_1000 = 999.5


def number(value: float, digits: int = 3) -> str:
    """Return a value with fixed digits, ``-`` for null."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NONE


def signed(value: float) -> str:
    """Return a difference with its sign, ``-`` for null.

    Example:
        >>> signed(0.0421), signed(-0.5), signed(float("nan"))
        ('+0.042', '-0.500', '-')
    """
    return f"{value:+.3f}" if math.isfinite(value) else NONE


def count(value: float) -> str:
    """Return a whole number, grouped in thousands, ``-`` for null."""
    return f"{value:,.0f}" if math.isfinite(value) else NONE


def size(value: float) -> str:
    """Return bytes in decimal units, ``-`` for null.

    Example:
        >>> size(950), size(12_300), size(4_560_000)
        ('950 B', '12.3 kB', '4.56 MB')
    """
    if not math.isfinite(value):
        return NONE
    for unit in ("B", "kB", "MB", "GB"):
        if value < ROUNDS_TO_1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def duration(seconds: float) -> str:
    """Return a time span in its two greatest units.

    Example:
        >>> duration(0.42), duration(75), duration(7260)
        ('0.42 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < MINUTE_S:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"


def plural(n: float, noun: str) -> str:
    """Return a count with its noun.

    Example:
        >>> plural(1, "image"), plural(2, "batch")
        ('1 image', '2 batches')
    """
    ending = "" if n == 1 else "es" if noun.endswith(("ch", "s")) else "s"
    return f"{count(n)} {noun}{ending}"


def headline(summary: pd.DataFrame, record: RunRecord) -> str:
    """Return the result in words: the best method, its gains, what it sent, and how sure."""
    best = tables.best_method(summary)
    if best is None:
        return _nothing_yet(summary)
    table = tables.gains(summary, random=record.random_label)
    row = table[table["method"] == best].iloc[0]
    played = int((tables.on(summary)["method"] == best).sum())
    rivals = [
        _over(row["gain_init"], "the initial model"),
        _over(row["gain_control"], f"{CONTROL} (retrained on old data alone)"),
        "" if best == record.random_label else _over(row["gain_random"], record.random_label),
    ]
    told = [text for text in rivals if text]
    lead = (
        f"After {plural(played, 'batch')}, {best} has the highest mAP50 on the common test set"
    )
    gained = f" ({'; '.join(told)})" if told else ""
    images, volume = row["images_sent_total"], row["bytes_sent_total"]
    sent = f". It sent {plural(images, 'image')}, {size(volume)}."
    return f"{lead}: {number(row['mAP50'])}" + gained + sent + _caveat(record)


def _over(gain: float, rival: str) -> str:
    if not math.isfinite(gain):
        return ""
    if round(gain, 3) == 0:
        return f"equal to {rival} to three digits"
    return f"{signed(gain)} {'over' if gain > 0 else 'against'} {rival}"


def _caveat(record: RunRecord) -> str:
    seed = record.config.get("seed", "unknown")
    return (
        f" All of this comes from one seed ({seed}): the differences have no intervals, and "
        "small ones may be chance."
    )


def _nothing_yet(summary: pd.DataFrame) -> str:
    start = tables.initial(summary)
    if len(tables.last_rows(summary)):
        return "No method has a mAP50 on the common test set, so there is nothing to rank."
    if math.isfinite(start):
        return (
            "No method has finished a batch. The initial model reaches a mAP50 of "
            f"{number(start)} on the common test set."
        )
    return "Nothing has been evaluated on the common test set."
