"""What each frame of a stream shows: bursts of one scene, and between them no objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.data.settings import Bursts, StreamData
from backhaul.data.streams.names import StreamPart


@dataclass(frozen=True, slots=True)
class Planned:
    """A frame before it is captured.

    Args:
        node: Number of the node that captures it.
        part: Part of the stream.
        time: Number of the frame among those of its node and part.
        scene: Number in the part of the scene that it shows, or showed last.
        is_empty: Whether the objects of the scene are gone.
    """

    node: int
    part: StreamPart
    time: int
    scene: int
    is_empty: bool


def plan(data: StreamData, rng: Callable[..., np.random.Generator]) -> Iterator[Planned]:
    """Yield all frames of a stream, part by part; a longer stream begins with the same ones.

    Args:
        data: Settings of the stream.
        rng: Gives the source of randomness of what a path of words and numbers names.
    """
    yield from _without_bursts("initial", data.initial, data)
    for node in range(data.nodes):
        n_frames = len(range(node, data.frames, data.nodes))
        yield from islice(_bursts(data, node, rng("bursts", node)), n_frames)
    yield from _without_bursts("test", data.test, data)


def n_empty(n_images: int, share: float) -> int:
    """Return how many of the first images of a part without bursts have no objects."""
    return int(n_images * share)


def burst_lengths(bursts: Bursts) -> FloatArray:
    """Return the probabilities of bursts of 1, 2, ... frames, shape (most,)."""
    weights: FloatArray = np.arange(1, bursts.most + 1, dtype=np.float64) ** -bursts.exponent
    shares: FloatArray = weights / weights.sum()
    return shares


def _without_bursts(part: StreamPart, n_images: int, data: StreamData) -> Iterator[Planned]:
    """Yield frames of different scenes, with those without objects spread evenly."""
    for number in range(n_images):
        before = n_empty(number, data.empty)
        is_empty = n_empty(number + 1, data.empty) > before
        scene = number - before
        time, node = divmod(number, data.nodes)
        yield Planned(node, part, time, max(scene - is_empty, 0), is_empty)


def _bursts(data: StreamData, node: int, rng: np.random.Generator) -> Iterator[Planned]:
    """Yield the frames of a node, without end.

    Frames without objects come one by one, as often as gives them their share of all frames.
    """
    lengths = burst_lengths(data.bursts)
    mean = float(lengths @ np.arange(1, len(lengths) + 1))
    gone = data.empty * mean / (1 - data.empty + data.empty * mean)
    time, scene, shown = 0, node, 0
    while True:
        if rng.random() < gone:
            yield Planned(node, "stream", time, scene, is_empty=True)
            time += 1
            continue
        scene = node + shown * data.nodes
        shown += 1
        for _ in range(int(rng.choice(len(lengths), p=lengths)) + 1):
            yield Planned(node, "stream", time, scene, is_empty=False)
            time += 1
