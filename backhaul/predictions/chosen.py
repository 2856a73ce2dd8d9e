"""What was chosen, of what, and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.data.images import ImageFile
from backhaul.sampling import SamplingMethod
from backhaul.sampling.diverse import DiverseFamily
from backhaul.sampling.diversity.duplicates import NEAR, distinct_rows
from backhaul.sampling.likeness import Near, likeness
from backhaul.sampling.ranked import ValuingMethod
from backhaul.sampling.spread import KCenterSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import frame_of, names_of, positions
from backhaul.values.detections import FusedDetections, VectorNeed
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Options:
    """What could be chosen.

    Args:
        pool: The candidates, with what was predicted in them.
        files: Their files, in the order of the pool.
        root: The folder that they are in.
    """

    pool: Pool
    files: tuple[ImageFile, ...]
    root: Path

    @property
    def n_bytes(self) -> int:
        """Bytes of all candidates."""
        return int(self.pool.size_bytes.sum())

    @property
    def n_undetected(self) -> int:
        """Candidates in which nothing was predicted."""
        return int(self.pool.undetected.sum())


@dataclass(frozen=True, eq=False)
class Chosen:
    """The images that were chosen, in the order in which they were, and what it came to.

    Args:
        method: Name of the method.
        images: The images, n of them.
        value: What the method's utility says each is worth, NaN where nothing is known; of a
            method without a utility the weight with which each was drawn; shape (n,).
        reason: Why each was chosen, in words.
        detections: What was predicted in them.
        bandwidth: What could be sent.
        options: What could be chosen.
        n_near_duplicates: Images that look like an earlier one, or like one sent before; None
            where the method needs no descriptors.
        notes: What was left out, in words.
    """

    method: str
    images: tuple[ImageFile, ...]
    value: FloatArray
    reason: tuple[str, ...]
    detections: FusedDetections
    bandwidth: Bandwidth
    options: Options
    n_near_duplicates: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Absolute paths of the images."""
        return tuple(Path(image.path) for image in self.images)

    @property
    def n_bytes(self) -> int:
        """What they cost together."""
        return sum(image.size_bytes for image in self.images)

    @property
    def n_undetected(self) -> int:
        """Images in which nothing was predicted."""
        return len(self.images) - len({*self.detections.image_id.tolist()})

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row an image: rank from 1, file below the folder, id, bytes, value and reason."""
        root = f"{self.options.root.as_posix()}/"
        columns = {
            "rank": np.arange(1, len(self.images) + 1),
            "file": [image.path.removeprefix(root) for image in self.images],
            "image_id": [image.image_id for image in self.images],
            "size_bytes": np.array([image.size_bytes for image in self.images], np.int64),
            "value": self.value,
            "reason": self.reason,
        }
        return frame_of(columns, texts=("file", "image_id", "reason"))

    @property
    def summary(self) -> str:
        """What was chosen of what, in a line."""
        pool, most = self.options.pool, self.bandwidth
        images = f"{len(self.images):,} of {len(pool):,} images"
        if most.images is not None:
            images += f" (at most {most.images:,})"
        size = f"{self.n_bytes:,} of {self.options.n_bytes:,} bytes"
        if most.bytes is not None:
            size += f" (at most {most.bytes:,})"
        empty = f"{self.n_undetected:,} of {self.options.n_undetected:,} without a detection"
        near = self.n_near_duplicates
        alike = "" if near is None else f", {near:,} near-duplicates"
        return f"{self.method}: {images}, {size}, {empty}{alike}"


def chosen_of(
    selection: Selection,
    method: SamplingMethod,
    options: Options,
    bandwidth: Bandwidth,
    notes: tuple[str, ...],
) -> Chosen:
    """Return what a method selected, with all that is to be said of it.

    Args:
        selection: What it selected.
        method: The method.
        options: What it selected from.
        bandwidth: What could be sent.
        notes: What was left out before.
    """
    row_of = {name: row for row, name in enumerate(options.pool.image_id)}
    ids = selection.image_id.tolist()
    rows = np.array([row_of[name] for name in ids], dtype=np.int64)
    value = selection.weight
    if isinstance(method, ValuingMethod):
        value = method.values(options.pool)[rows]
    return Chosen(
        method=method.label,
        images=tuple(options.files[row] for row in rows.tolist()),
        value=value,
        reason=tuple(selection.reason.tolist()),
        detections=options.pool.detections.of_images(ids),
        bandwidth=bandwidth,
        options=options,
        n_near_duplicates=_near_duplicates(method, options.pool, ids),
        notes=notes,
    )


def _near_duplicates(method: SamplingMethod, pool: Pool, ids: list[str]) -> int | None:
    """Return how many images look like another one, up to the distance that the method has."""
    if pool.detections.descriptors is None:
        return None
    near: Near = NEAR
    space: VectorNeed = "descriptors"
    if isinstance(method, DiverseFamily | KCenterSampling):
        near, space = method.near, method.space
    if near == "auto" and pool.nearness is None:  # a method that does not look at it
        near = NEAR
    own, known, distance = likeness(pool, near, space)
    rows = positions(names_of(ids), pool.image_id)
    return len(ids) - len(distinct_rows(own[rows], known, distance))
