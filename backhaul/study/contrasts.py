"""Choices that nobody should make: what a score of choices is to be tried on.

Methods worth having choose alike, so that a score that tells them apart may do so by chance.
These differ on purpose. A study names them as code, ``backhaul.study.contrasts:Repeating``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from backhaul.arrays import IntArray
from backhaul.naturalorder import natural
from backhaul.sampling.sightings import by_name
from backhaul.sampling.spending import fitting
from backhaul.sampling.vectors import vectors_of
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import positions
from backhaul.values.detections import Need
from backhaul.values.offers import Pool


@dataclass(frozen=True)
class Repeating:
    """The images most like one that is drawn, for a share of the bandwidth; then any.

    Args:
        share: Of the images that are sent if nothing but that scene is, in [0, 1].
    """

    share: float = 1.0
    needs: ClassVar[frozenset[Need]] = frozenset({"descriptors"})

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> list[str]:
        """Return the names of the images."""
        pool = pool.take(by_name(pool))
        if not len(pool):
            return []
        vectors, _ = vectors_of(pool, "descriptors")
        order = rng.permutation(len(pool))
        apart = np.linalg.norm(vectors[order] - vectors[order[0]], axis=1)
        alike = order[np.argsort(apart, kind="stable")]
        n = round(self.share * len(fitting(pool.size_bytes[alike], bandwidth)))
        rest = order[~np.isin(order, alike[:n])]
        return _first(pool, np.concatenate([alike[:n], rest]), bandwidth)


@dataclass(frozen=True)
class ByDetections:
    """Images with the fewest, or the most, detections first; ties at random.

    Args:
        first: Which come first.
    """

    first: Literal["fewest", "most"]

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> list[str]:
        """Return the names of the images."""
        pool = pool.take(by_name(pool))
        image = positions(pool.detections.image_id, pool.image_id)
        number = np.bincount(image, minlength=len(pool))
        key = number if self.first == "fewest" else -number
        return _first(pool, np.lexsort((rng.permutation(len(pool)), key)), bandwidth)


@dataclass(frozen=True)
class BySize:
    """The smallest, or the largest, files first.

    Args:
        first: Which come first.
    """

    first: Literal["smallest", "largest"]

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> list[str]:
        """Return the names of the images."""
        pool = pool.take(by_name(pool))
        size = pool.size_bytes if self.first == "smallest" else -pool.size_bytes
        return _first(pool, np.argsort(size, kind="stable"), bandwidth)


@dataclass(frozen=True)
class Stretch:
    """Images at random from a stretch of time, and then from the rest.

    Args:
        begin: Where it begins, as a fraction of the pool in the order of names.
        end: Where it ends.
    """

    begin: float = 0.0
    end: float = 0.5

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> list[str]:
        """Return the names of the images."""
        names: Sequence[str] = pool.files or pool.image_id
        rows = sorted(range(len(pool)), key=lambda row: (natural(names[row]), names[row]))
        pool = pool.take(np.array(rows, dtype=np.int64))
        place = (np.arange(len(pool)) + 0.5) / max(len(pool), 1)
        outside = (place < self.begin) | (place >= self.end)
        return _first(pool, np.lexsort((rng.permutation(len(pool)), outside)), bandwidth)


def _first(pool: Pool, order: IntArray, bandwidth: Bandwidth) -> list[str]:
    """Return the names of the images that still fit, each in its turn."""
    sent = order[fitting(pool.size_bytes[order], bandwidth)]
    return [pool.image_id[row] for row in sent.tolist()]
