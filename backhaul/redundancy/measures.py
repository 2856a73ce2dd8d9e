"""What frames in order of capture say of themselves: bursts, scenes, bytes, and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backhaul.arrays import Float32Array, IntArray
from backhaul.look.descriptors import lightness
from backhaul.redundancy.frames import Frames
from backhaul.sampling.auto import unevenness
from backhaul.sampling.diversity.duplicates import distinct_rows

QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Bursts:
    """Runs of two or more frames, one after the other, that all look like the first of them.

    Args:
        number: How many there are.
        lengths: Least, median and greatest number of frames of one; zeros without any.
        share: Part of all frames that lie in one, in [0, 1].
    """

    number: int
    lengths: tuple[int, float, int]
    share: float


@dataclass(frozen=True)
class Measures:
    """What frames are like.

    Args:
        frames: How many there are.
        bursts: The bursts among them.
        scenes: Frames that are near no earlier one, of any node.
        redundancy: Share of the frames that are near-duplicates of an earlier one: 1 - scenes /
            frames, in [0, 1].
        total_bytes: Bytes of all files.
        bytes_quartiles: Quartiles of the bytes of a file.
        unevenness: Upper quartile of the bytes divided by the lower one, >= 1.
        lightness_quartiles: Quartiles of the mean lightness of a frame (Oklab), in [0, 1].
    """

    frames: int
    bursts: Bursts
    scenes: int
    redundancy: float
    total_bytes: int
    bytes_quartiles: tuple[float, ...]
    unevenness: float
    lightness_quartiles: tuple[float, ...]


def measures_of(frames: Frames, near: float) -> Measures:
    """Return what frames are like, at least one.

    Args:
        frames: The frames.
        near: Distance of descriptors up to which two are near-duplicates.
    """
    sizes = frames.size_bytes
    scenes = len(distinct_rows(frames.vectors, frames.vectors[:0], near))
    return Measures(
        frames=len(frames),
        bursts=bursts_of(run_starts(frames, near), len(frames)),
        scenes=scenes,
        redundancy=1 - scenes / len(frames),
        total_bytes=int(sizes.sum()),
        bytes_quartiles=_quartiles(sizes),
        unevenness=unevenness(sizes),
        lightness_quartiles=_quartiles(lightness(frames.vectors)),
    )


def run_starts(frames: Frames, near: float) -> IntArray:
    """Return the rows at which runs begin: frames of one node that look like its first.

    A run has one frame or more; each frame is in one of them.

    Args:
        frames: The frames.
        near: Distance of descriptors up to which two are near-duplicates.
    """
    starts: list[int] = []
    for row in range(len(frames)):
        if (
            not starts
            or frames.nodes[row] != frames.nodes[starts[-1]]
            or np.linalg.norm(frames.vectors[row] - frames.vectors[starts[-1]]) > near
        ):
            starts.append(row)
    return np.array(starts, dtype=np.int64)


def bursts_of(starts: IntArray, n_frames: int) -> Bursts:
    """Return the bursts among runs that begin at `starts`, of so many frames in all."""
    lengths = np.diff(np.append(starts, n_frames))
    lengths = lengths[lengths > 1]
    if not len(lengths):
        return Bursts(0, (0, 0.0, 0), 0.0)
    spread = (int(lengths.min()), float(np.median(lengths)), int(lengths.max()))
    return Bursts(len(lengths), spread, int(lengths.sum()) / n_frames)


def _quartiles(values: IntArray | Float32Array) -> tuple[float, ...]:
    return tuple(np.quantile(values, QUARTILES).tolist())
