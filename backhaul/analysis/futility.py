"""Is a wished gain over chance still to be expected? Asked while a run goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from backhaul.analysis.results import COMMON
from backhaul.arrays import FloatArray
from backhaul.campaign.finding import Chart, Finding, Series, cells, values
from backhaul.campaign.run import CONTROL
from backhaul.layout import INITIAL
from backhaul.measure.confidence_sequence import MOST_AHEAD, half_widths, values_until
from backhaul.measure.settings import Futility

NAME = "futility"
METRIC = "mAP50"
Verdict: TypeAlias = Literal["out of reach", "better", "open"]
OUT_OF_REACH: Verdict = "out of reach"


@dataclass(frozen=True)
class Outlook:
    """What the rounds of one method say of its gain.

    Args:
        method: Label of the method.
        mean: Running mean of its gains in mAP50 over the baseline, a value a round.
        low: Lower ends of the confidence sequence around them.
        high: Upper ends.
        verdict: Whether the wished gain was left out at any round, or else no gain at all.
        more: Rounds until either can be told, if all goes on like this; infinite for many.
    """

    method: str
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    verdict: Verdict
    more: float

    def sentence(self, settings: Futility) -> str:
        """Return the outlook in words."""
        n, sure = len(self.mean), _confidence(settings)
        rounds = f"{n} round{'s' if n > 1 else ''}"
        over = f"{self.mean[-1]:+.3f} over {settings.baseline}"
        so_far = f"{self.method}: {over} after {rounds}"
        match self.verdict:
            case "out of reach":
                return f"{so_far}, and a gain of {settings.gain:+g} is out of reach with {sure}"
            case "better":
                return f"{so_far}, better with {sure}"
        more = f"about {self.more:.0f}" if math.isfinite(self.more) else f"over {MOST_AHEAD:,}"
        return f"{so_far}, needs {more} more to tell"


def outlooks(summary: pd.DataFrame, settings: Futility) -> tuple[Outlook, ...]:
    """Return the outlook of each method that has a round together with the baseline.

    Rounds count in the order in which they are played: by batch, seed after seed.

    Args:
        summary: Rows of summary.csv of all seeds, with the column seed.
        settings: What gain is wished for, and over what.
    """
    rows = summary[(summary["test_set"] == COMMON) & summary["batch"].notna()]
    scores = rows.pivot_table(
        index=["seed", "batch"], columns="method", values=METRIC, aggfunc="last", sort=False
    )
    if settings.baseline not in scores:
        return ()
    order = {seed: place for place, seed in enumerate(dict.fromkeys(summary["seed"]))}
    scores = scores.sort_index(
        key=lambda level: level.map(order) if level.name == "seed" else level
    )
    methods = [m for m in scores if m not in (settings.baseline, CONTROL, INITIAL)]
    gains = scores[methods].sub(scores[settings.baseline], axis=0)
    each = {str(method): gains[method].dropna().tolist() for method in methods}
    return tuple(_outlook(m, found, settings) for m, found in each.items() if found)


def _outlook(method: str, gains: Sequence[float], settings: Futility) -> Outlook:
    mean = np.cumsum(gains) / np.arange(1, len(gains) + 1)
    half = half_widths(gains, settings.alpha, settings.spread)
    verdict: Verdict = "open"
    if np.any(mean + half < settings.gain):
        verdict = OUT_OF_REACH
    elif np.any(mean - half > 0):
        verdict = "better"
    more = 0.0
    if verdict == "open":
        more = values_until(gains, 0.0, settings.gain, settings.alpha, settings.spread)
    return Outlook(method, mean, mean - half, mean + half, verdict, more)


def futility(summary: pd.DataFrame, settings: Futility) -> Finding | None:
    """Return whether a wished gain is still to be expected; None before any paired round.

    Args:
        summary: Rows of summary.csv of all seeds, with the column seed.
        settings: What gain is wished for, and over what.
    """
    found = outlooks(summary, settings)
    if not found:
        return None
    table = pd.DataFrame(
        {
            "method": [each.method for each in found],
            "rounds": [len(each.mean) for each in found],
            "mean gain": [each.mean[-1] for each in found],
            "low": [each.low[-1] for each in found],
            "high": [each.high[-1] for each in found],
            "verdict": [each.verdict for each in found],
            "more rounds": [each.more for each in found],
        }
    )
    return Finding(
        name=NAME,
        title=f"Is a gain of {settings.gain:+g} over {settings.baseline} still to be expected?",
        note=_headline(found, settings),
        columns=tuple(table.columns),
        rows=cells(table),
        charts=(_chart(found, settings),),
    )


def verdicts(finding: Finding) -> dict[str, str]:
    """Return the verdict of each method in a finding of `futility`."""
    table = finding.table
    return dict(zip(table["method"].tolist(), table["verdict"].tolist(), strict=True))


def _headline(found: Sequence[Outlook], settings: Futility) -> str:
    """Return all outlooks in words."""
    if all(each.verdict == OUT_OF_REACH for each in found):
        n = min(len(each.mean) for each in found)
        return (
            f"No method reaches {settings.gain:+g} over {settings.baseline} with "
            f"{_confidence(settings)}, after {n} round{'s' if n > 1 else ''}."
        )
    return "; ".join(each.sentence(settings) for each in found) + "."


def _confidence(settings: Futility) -> str:
    return f"{100 * (1 - settings.alpha):g} % confidence"


def _chart(found: Sequence[Outlook], settings: Futility) -> Chart:
    most = max(len(each.mean) for each in found)
    lines = [
        Series(
            name=each.method,
            x=tuple(map(float, range(1, len(each.mean) + 1))),
            y=values(each.mean),
            low=values(each.low),
            high=values(each.high),
        )
        for each in found
    ]
    wished = Series(name="wished gain", x=(1.0, float(most)), y=(settings.gain, settings.gain))
    return Chart(
        title=f"Mean gain over {settings.baseline} so far",
        x_title="rounds",
        y_title=f"gain in {METRIC}",
        series=(*lines, wished),
    )
