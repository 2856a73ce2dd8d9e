"""What an operator should know of a node, by what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backhaul.fleet.status import Status

CLOCK_S = 120.0
"""A node whose clock is further from ours than that is told."""
LITTLE_DISK = 500_000_000
"""Free bytes of a node's disk below which it is told."""
NO_FRAME_S = 86_400.0
"""A node whose source has given no frame for so long is told."""
MANY_FAILURES = 10
"""Tries to send in a row that have failed, from which on they are told."""
_OF_MODEL = re.compile(r"model ([0-9a-f]{12})(?: failed here)?: ")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an operator should know.

    Args:
        subject: Whose it is: the name of a node, ``group G``, or ``home X``, a part of home.
        kind: What it is, one word. Of one kind a subject has one problem at a time.
        text: It in words, one line.
    """

    subject: str
    kind: str
    text: str


def problems_of(
    node: str, status: Status | None, told_s: float, now_s: float, late_s: float
) -> Iterator[Problem]:
    """Yield what is wrong with a node.

    Args:
        node: Its name.
        status: What it said last; None = that cannot be read.
        told_s: When it said so, seconds since 1970.
        now_s: The time, likewise.
        late_s: A node that was not heard of for longer is silent.
    """
    if now_s - told_s > late_s:
        yield Problem(node, "silent", f"silent for {in_words(now_s - told_s)}")
    if status is None:
        yield Problem(node, "status", "its status cannot be read")
        return
    for kind, text in _told_by(status, told_s):
        yield Problem(node, kind, text)


def _told_by(status: Status, told_s: float) -> Iterator[tuple[str, str]]:
    if status.source:
        yield "camera", status.source
    elif status.last_frame_s_ago > NO_FRAME_S:
        yield "camera", f"no frame for {in_words(status.last_frame_s_ago)}"
    if status.choice_failed:
        yield "choice", f"chance chooses, as its method failed: {status.choice_failed}"
    yield from _of_sending(status)
    if status.update_refused:
        kind = "model" if refused_model(status.update_refused) else "update"
        yield kind, f"update refused: {status.update_refused}"
    if status.disk_free_bytes < LITTLE_DISK:
        yield "disk", f"little disk: {status.disk_free_bytes / 1e6:,.0f} MB free"
    if abs(status.time_s - told_s) > CLOCK_S:
        yield "clock", f"its clock is off by {in_words(abs(status.time_s - told_s))}"


def refused_model(reason: str) -> str:
    """Return the first 12 digits of the model that a node refuses; empty if it is no model.

    Example:
        >>> refused_model("model 0123456789ab failed here: too slow")
        '0123456789ab'
    """
    found = _OF_MODEL.match(reason)
    return "" if found is None else found[1]


def _of_sending(status: Status) -> Iterator[tuple[str, str]]:
    if status.refused:
        yield "refused", f"home refused: {status.refused}"
    if status.keys_refused:
        yield "keys", f"keeps its keys: {status.keys_refused}"
    if status.failures >= MANY_FAILURES:
        yield "failures", f"{status.failures} tries to send in a row have failed"
    if status.totals.get("displaced", 0) and status.waiting_bytes > 0.9 * status.most_bytes:
        yield "full", "chosen frames are given up: more is chosen than the link carries"


def in_words(seconds: float) -> str:
    """Return a time span in one unit.

    Example:
        >>> in_words(95), in_words(7_300), in_words(200_000)
        ('95 s', '2 h', '2 d')
    """
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
