"""What arrives when, of files that a node sends and of a model that it gets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.link.clock import Clock
from backhaul.link.flow import LEAST_BYTES, Direction
from backhaul.link.ledger import Ledger, Meter
from backhaul.link.settings import Link


@dataclass(frozen=True, eq=False)
class Upload:
    """What became of files that a node was to send, in the order in which it sends them.

    Times are in seconds since the midnight before the first window.

    Args:
        begun_s: When each was begun, NaN if it was not, shape (n,).
        arrived_s: When the whole of it was at home, NaN if that is not known yet, shape (n,).
        wire_bytes: What went over the wire of each, shape (n,).
        left_bytes: What still has to, shape (n,).
        resent_bytes: What of both is packets that are sent again, shape (n,).
        busy_s: How long the link was busy, seconds.
        free_s: When it is free again.
        after: What is left of the allowances then.
    """

    begun_s: FloatArray
    arrived_s: FloatArray
    wire_bytes: FloatArray
    left_bytes: FloatArray
    resent_bytes: IntArray
    busy_s: float
    free_s: float
    after: Ledger


@dataclass(frozen=True, slots=True)
class Download:
    """How a file came to a node.

    Args:
        arrived_s: When the whole of it was there, seconds since the first midnight.
        wire_bytes: What went over the wire.
        after: What is left of the allowances then.
    """

    arrived_s: float
    wire_bytes: float
    after: Ledger


def upload(
    link: Link,
    before: Ledger,
    size_bytes: IntArray,
    start_s: float,
    *,
    until_s: float = math.inf,
    rng: np.random.Generator,
) -> Upload:
    """Send files one after the other, from the first on.

    A file waits until the link is up and an image and some bytes are allowed. One that is under
    way when the link goes down goes on when it comes up. Packets that are lost cost bytes, and
    so time, but no wait of their own: others go in the meantime.

    Args:
        link: The link.
        before: What is left of its allowances.
        size_bytes: Sizes of the files, in the order in which they are sent, > 0, shape (n,).
        start_s: When the first may be begun.
        until_s: When the node stops sending; what is left waits.
        rng: Draws the lost packets, so many of each file whatever the rate.
    """
    clock = Clock(link)
    meter = Meter(clock, before)
    up = Direction(clock, link.up_bytes_s, meter)
    resent = _resent_bytes(link, size_bytes, rng)
    begun_s, arrived_s = np.full((2, size_bytes.size), np.nan)
    left = (size_bytes + link.overhead_bytes + resent).astype(np.float64)
    wire, t, busy_s = np.zeros(size_bytes.size), start_s, 0.0
    for i in range(size_bytes.size):
        t = _turn(up, meter, t, until_s)
        if t >= until_s:
            break
        meter.count(images=1)
        went = up.carry(left[i], t, until_s)
        begun_s[i], wire[i], left[i] = t, went.n_bytes, max(left[i] - went.n_bytes, 0.0)
        t, busy_s = went.end_s, busy_s + went.busy_s
        if left[i] > LEAST_BYTES:
            break
        arrived_s[i] = t + link.latency_s
    return Upload(begun_s, arrived_s, wire, left, resent, busy_s, t, meter.ledger)


def download(
    link: Link, before: Ledger, size_bytes: int, start_s: float, *, rng: np.random.Generator
) -> Download:
    """Send a file to a node; it waits like one that the node sends, but is no image.

    Args:
        link: The link.
        before: What is left of its allowances, of which it takes if ``model_counts``.
        size_bytes: Size of the file.
        start_s: When it may be begun.
        rng: Draws the lost packets.
    """
    clock = Clock(link)
    meter = Meter(clock, before)
    down = Direction(clock, link.down_bytes_s, meter if link.model_counts else None)
    resent = _resent_bytes(link, np.array([size_bytes]), rng)
    went = down.carry(size_bytes + link.overhead_bytes + int(resent[0]), start_s)
    return Download(went.end_s + link.latency_s, went.n_bytes, meter.ledger)


def budget(
    link: Link, before: Ledger, start_s: float, end_s: float
) -> tuple[int | None, int | None]:
    """Return how many images and bytes can be sent in a time; None = no limit.

    Bytes are those of the files with the overhead of each. Files within it, in any order, have
    arrived at the end, if no more than the part `loss` of the bytes on the wire is lost. Files
    of few packets lose more on average, as each lost packet counts as a full one. Where a rule
    of images has several periods in this time, the last may be late: what a period has left
    when all its images are sent goes unused.

    Args:
        link: The link.
        before: What is left of its allowances.
        start_s: When the first file may be begun.
        end_s: When the last must have arrived.
    """
    until_s = end_s - link.latency_s
    clock = Clock(link)
    up = Direction(clock, link.up_bytes_s, Meter(clock, before))
    limited = not math.isinf(link.up_bytes_s) or any(each.bytes for each in link.allowances)
    n_bytes = up.carry(math.inf, start_s, until_s).n_bytes if limited else None
    return (
        _images_in(Direction(clock, math.inf, Meter(clock, before)), start_s, until_s),
        None if n_bytes is None else math.floor((n_bytes + LEAST_BYTES) * (1 - link.loss)),
    )


def _images_in(up: Direction, start_s: float, until_s: float) -> int | None:
    """Return how many images may be begun in a time, if they have next to no bytes."""
    meter, count, t = up.meter, 0, start_s
    assert meter is not None  # noqa: S101 - the way up is metered
    if meter.images is None:
        return None
    while (t := _turn(up, meter, t, until_s)) < until_s:
        allowed = meter.images
        meter.count(images=allowed)
        count += allowed
    return count


def _turn(up: Direction, meter: Meter, t: float, until_s: float) -> float:
    """Return when the next image may be begun, `until_s` if that is not before."""
    while t < until_s:
        may_go = up.allowed(t) > LEAST_BYTES
        if may_go and (meter.images is None or meter.images > 0):
            return t
        t = up.pause(t)
    return until_s


def _resent_bytes(link: Link, size_bytes: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw the bytes of packets that are sent again, also more than once, shape (n,).

    All packets are counted as full ones. How often they fail before all are through is
    negative binomial.
    """
    packets = -(-(size_bytes + link.overhead_bytes) // link.packet_bytes)
    if not link.loss:
        return np.zeros(size_bytes.size, dtype=np.int64)
    lost = rng.negative_binomial(packets, 1 - link.loss)
    return np.asarray(lost * link.packet_bytes, dtype=np.int64)
