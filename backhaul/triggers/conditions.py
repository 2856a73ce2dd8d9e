"""What each condition of a trigger finds, and whether it holds."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import singledispatch
from zoneinfo import ZoneInfo

from backhaul.campaign.triggers import (
    UTC_NAME,
    BytesCondition,
    Condition,
    DriftCondition,
    HandCondition,
    LabelledCondition,
    MetricCondition,
    Operator,
    WindowCondition,
)
from backhaul.fleet.windows import Moved, moves, recent_windows
from backhaul.inbox.reference import references_of
from backhaul.link.hours import up_minutes
from backhaul.triggers.decisions import Answer
from backhaul.triggers.measured import champion_figure, is_known, metric_now
from backhaul.triggers.unplayed import Unplayed

MINUTES_AN_HOUR = 60
CLOSE = 1e-9
"""Figures that differ by no more are equal."""


def _equal(found: float, value: float) -> bool:
    return math.isclose(found, value, rel_tol=0.0, abs_tol=CLOSE)


COMPARISONS: Mapping[Operator, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": _equal,
}
SIGN_OF: Mapping[Operator, str] = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "="}


@singledispatch
def answer_of(condition: Condition, unplayed: Unplayed, now: datetime) -> Answer:
    """Return what a condition finds.

    Args:
        condition: The condition.
        unplayed: What has arrived and was not played yet.
        now: The time, with its zone.
    """
    raise AssertionError(f"no such condition: {condition}")


@answer_of.register
def _window(condition: WindowCondition, unplayed: Unplayed, now: datetime) -> Answer:
    """By the clock of the zone: an hour that comes twice in autumn counts twice."""
    zone = UTC if condition.timezone == UTC_NAME else ZoneInfo(condition.timezone)
    local = now.astimezone(zone)
    minute = local.hour * MINUTES_AN_HOUR + local.minute
    holds = up_minutes(condition.hours, MINUTES_AN_HOUR)[minute]
    hours = f"{', '.join(condition.hours)} {condition.timezone}"
    found = "inside" if holds else "outside"
    return Answer(
        kind="window",
        asked=f"the time is within {hours}",
        found=found,
        text=f"{found} {hours}",
        holds=holds,
    )


@answer_of.register
def _labelled(condition: LabelledCondition, unplayed: Unplayed, now: datetime) -> Answer:
    least = condition.images
    asked = f"{least:,} labelled images of full batches"
    if not unplayed.labels_are_put:
        return _unknown("labelled", asked, "made by labelling.source", "labels")
    truth, full = unplayed.truth, unplayed.full
    known = set[str]() if truth is None else set(truth.labelled().ids)
    n_labelled = 0 if full is None else int(full["image_id"].isin(known).sum())
    return Answer(
        kind="labelled",
        asked=asked,
        found=f"{n_labelled:,}",
        text=f"{n_labelled:,} of {least:,} labelled images",
        value=n_labelled,
        holds=n_labelled >= least,
    )


@answer_of.register
def _bytes(condition: BytesCondition, unplayed: Unplayed, now: datetime) -> Answer:
    least, rows = condition.bytes, unplayed.rows
    n_bytes = 0 if rows is None else int(rows["size_bytes"].sum())
    return Answer(
        kind="bytes",
        asked=f"{least:,} bytes that were not played yet",
        found=f"{n_bytes:,}",
        text=f"{n_bytes:,} of {least:,} bytes",
        value=n_bytes,
        holds=n_bytes >= least,
    )


@answer_of.register
def _drift(condition: DriftCondition, unplayed: Unplayed, now: datetime) -> Answer:
    root = unplayed.run.config.store
    asked = f"drift of {condition.what} above {condition.above:g}"
    told = recent_windows(root, now.timestamp())
    found: list[tuple[float, str, Moved]] = [
        (moved.index - moved.by_chance, node, moved)
        for node, windows in told.items()
        for moved in moves(windows, references_of(root, node))
        if condition.what in (moved.what, "either") and is_known(moved.index)
    ]
    if not found:
        nothing = "no window was told in the last day" if not told else "too few objects told"
        return _unknown("drift", asked, nothing, "drift")
    index, node, moved = max(found, key=lambda each: each[0])
    known = f"{moved} of {moved.what} at {node}, by chance {moved.by_chance:.2f}"
    return Answer(
        kind="drift",
        asked=asked,
        found=known,
        text=f"drift: {known}, asked above {condition.above:g}",
        value=moved.index,
        holds=index > condition.above,
    )


@answer_of.register
def _metric(condition: MetricCondition, unplayed: Unplayed, now: datetime) -> Answer:
    name, frames = f"{condition.name} of {condition.of} frames", f"{condition.of} frames"
    sign, value = SIGN_OF[condition.op], condition.value
    asked = f"{name} {sign} {value:g}" if value is not None else _asked_change(condition, name)
    current, n_frames = metric_now(condition, unplayed)
    if not is_known(current):
        least = condition.least_images
        text = f"{n_frames} of {least} {frames} with what nodes saw in them"
        few = n_frames < least
        return _unknown("metric", asked, text if few else "undefined, 0 / 0", name)
    found, text = current, f"{name}: {current:.3f} on {n_frames} frames"
    if value is None:
        figure, champion = champion_figure(unplayed.run, condition.name)
        if not is_known(figure):
            return _unknown("metric", asked, f"{champion} has none", name)
        found, value = current - figure, condition.change or 0.0
        text += f", {found:+.3f} to {champion}"
    return Answer(
        kind="metric",
        asked=asked,
        found=text.removeprefix(f"{name}: "),
        text=f"{text}, asked {sign} {value:g}",
        value=found,
        holds=COMPARISONS[condition.op](found, value),
    )


def _asked_change(condition: MetricCondition, name: str) -> str:
    return f"change of {name} to the champion's {SIGN_OF[condition.op]} {condition.change:+g}"


@answer_of.register
def _hand(condition: HandCondition, unplayed: Unplayed, now: datetime) -> Answer:
    text = "nobody fired it by hand"
    return Answer(kind="hand", asked="fired by hand", found=text, text=text, holds=False)


def _unknown(kind: str, asked: str, found: str, name: str) -> Answer:
    """Return the answer of a condition that is not known yet, which is neither yes nor no."""
    return Answer(kind=kind, asked=asked, found=found, text=f"{name}: {found}", holds=None)
