"""Numbers as text, and the result of a run in words."""

from __future__ import annotations

import math

import pandas as pd

from backhaul.campaign.run import CONTROL
from backhaul.report import tables

NONE = "-"
PLUS_MINUS = "\xa0±\xa0"  # stays on one line
MINUTE_S, HOUR_S = 60, 3600
ROUNDS_TO_1000 = 999.5


def number(value: float, digits: int = 3) -> str:
    """Return a value with fixed digits, ``-`` for null."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NONE


def p_value(value: float) -> str:
    """Return a p-value, which is never written as 0; ``-`` for null.

    Example:
        >>> p_value(0.0421), p_value(0.00002), p_value(float("nan"))
        ('0.042', '<0.001', '-')
    """
    written = number(value)
    return "<0.001" if written == number(0) else written


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


def mean_count(value: float) -> str:
    """Return a number of things; a mean that is no whole number has a digit more.

    Example:
        >>> mean_count(12.0), mean_count(12.25), mean_count(float("nan"))
        ('12', '12.2', '-')
    """
    return f"{value:,.1f}" if value % 1 > 0 else count(value)


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
        >>> plural(1, "image"), plural(2, "batch"), plural(3, "epoch")
        ('1 image', '2 batches', '3 epochs')
    """
    ending = "" if n == 1 else "es" if noun.endswith(("tch", "s")) else "s"
    return f"{count(n)} {noun}{ending}"


def shortened(text: str, limit: int) -> str:
    """Return `text`, cut if it is longer than `limit` characters.

    Example:
        >>> shortened("bus", 12), shortened("a very long name", 12)
        ('bus', 'a very long…')
    """
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def plus_minus(mean: float, half_width: float) -> str:
    r"""Return a mean with the half width of its interval, if there is one.

    Example:
        >>> plus_minus(0.4512, 0.0123), plus_minus(0.4512, float("nan"))
        ('0.451\xa0±\xa00.012', '0.451')
    """
    return _with_interval(number(mean), half_width)


def signed_plus_minus(mean: float, half_width: float) -> str:
    r"""Return a mean difference with its sign, and the half width of its interval.

    Example:
        >>> signed_plus_minus(0.0512, 0.0123), signed_plus_minus(float("nan"), float("nan"))
        ('+0.051\xa0±\xa00.012', '-')
    """
    return _with_interval(signed(mean), half_width)


def _with_interval(mean: str, half_width: float) -> str:
    return f"{mean}{PLUS_MINUS}{half_width:.3f}" if math.isfinite(half_width) else mean


def headline(summary: pd.DataFrame, random: str) -> str:
    """Return the result in words: the best method, its gains, what it sent, and how sure.

    Args:
        summary: Rows of summary.csv of all seeds, with the column seed.
        random: Label of the true-random arm.
    """
    compared = tables.comparison(summary, random=random)
    best = tables.best_method(compared)
    if best is None:
        return _nothing_yet(summary)
    several = compared.n["mAP50"][best] > 1
    highest = f"highest {'mean ' if several else ''}mAP50"
    rivals = {
        "gain_init": "the initial model",
        "gain_control": f"{CONTROL} (retrained on old data alone)",
        "gain_random": random,
    }
    gains = [
        _over(*compared.at(best, gain), rival)
        for gain, rival in rivals.items()
        if rival != best and math.isfinite(compared.at(best, gain)[0])
    ]
    rows = tables.on(summary)
    n_played = rows.loc[rows["method"] == best, "batch"].nunique()
    lead = (
        f"After {plural(n_played, 'batch')}, {best} has the {highest} on the common test "
        f"set: {plus_minus(*compared.at(best, 'mAP50'))}"
    )
    gained = f" ({'; '.join(gains)})" if gains else ""
    images, _ = compared.at(best, "images_sent_total")
    volume, _ = compared.at(best, "bytes_sent_total")
    sent = f". It sent {plural(images, 'image')}, {size(volume)}"
    return lead + gained + sent + (" a seed." if several else ".") + _caveat(summary)


def _over(gain: float, half_width: float, rival: str) -> str:
    if round(gain, 3) == 0 and not math.isfinite(half_width):
        return f"equal to {rival} to three digits"
    difference = signed_plus_minus(gain, half_width)
    return f"{difference} {'over' if gain > 0 else 'against'} {rival}"


def _caveat(summary: pd.DataFrame) -> str:
    seeds = list(dict.fromkeys(summary["seed"]))
    if len(seeds) == 1:
        return (
            f" All of this comes from one seed ({seeds[0]}): the differences have no intervals,"
            " and small ones may be chance."
        )
    listed = ", ".join(map(str, seeds))
    return (
        f" Means over {len(seeds)} seeds ({listed}); ± is half the width of the 95\xa0% "
        "t-interval, and gains are paired by seed."
    )


def beyond_chance(gain: float, half_width: float) -> str:
    """Say whether the interval of a gain leaves out zero."""
    if not math.isfinite(gain):
        return "not run"
    if not math.isfinite(half_width):
        return "one seed: no interval"
    within = abs(gain) <= half_width
    return f"the interval {'includes' if within else 'excludes'} 0"


def _nothing_yet(summary: pd.DataFrame) -> str:
    start = tables.initial(summary)["mAP50"].mean()
    if len(tables.last_rows(summary)):
        return "No method has a mAP50 on the common test set, so there is nothing to rank."
    if math.isfinite(start):
        return (
            "No method has finished a batch. The initial model reaches a mAP50 of "
            f"{number(start)} on the common test set."
        )
    return "Nothing has been evaluated on the common test set."
