"""Candidates for sending in a batch, and the information a method may use to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from backhaul.arrays import BoolArray, Float32Array, IntArray, NameArray
from backhaul.values.arrivals import Arrivals
from backhaul.values.columns import frame_of, names_of, positions, require_length
from backhaul.values.detections import FusedDetections, Need
from backhaul.values.features import Features
from backhaul.values.validation import Validation

if TYPE_CHECKING:
    import pandas as pd

ORIGINAL = "original"
"""The kind of an offer that is the image's own file."""


@dataclass(frozen=True, eq=False)
class Offers:
    """Candidates for sending, each an image in one form, in columns of n rows.

    Args:
        image_id: The image of each offer, shape (n,).
        kind: How it is sent: ``original``, as its file is, ``reencoded`` or ``crops``; shape
            (n,).
        size_bytes: What sending it costs, > 0, shape (n,).
        file: Path of the file, shape (n,); None where files do not matter.

    Raises:
        ValueError: If lengths differ, an offer or a file repeats, or a size is not positive.
    """

    image_id: NameArray
    kind: NameArray
    size_bytes: IntArray
    file: NameArray | None = None

    def __post_init__(self) -> None:
        n = len(self.image_id)
        columns = {"kind": self.kind, "size_bytes": self.size_bytes, "file": self.file}
        require_length(n, columns)
        if len(set(zip(self.image_id.tolist(), self.kind.tolist(), strict=True))) != n:
            raise ValueError("image_id must be unique among offers of one kind")
        if self.file is not None and len(set(self.file.tolist())) != n:
            raise ValueError(f"expected {n} unique files, got {len(set(self.file.tolist()))}")
        if not np.all(self.size_bytes > 0):
            raise ValueError("size_bytes must be positive")

    @staticmethod
    def originals(
        image_id: Sequence[str], size_bytes: IntArray, files: Sequence[str] = ()
    ) -> Offers:
        """Return the offers to send images unchanged.

        Args:
            image_id: The images, n of them.
            size_bytes: Sizes of their files, shape (n,).
            files: Paths of their files, or none where files do not matter.
        """
        kind = names_of([ORIGINAL] * len(image_id))
        return Offers(
            names_of(image_id), kind, size_bytes, names_of(files) if len(files) else None
        )

    def take(self, rows: IntArray) -> Offers:
        """Return the offers at `rows`, in that order."""
        file = None if self.file is None else self.file[rows]
        return Offers(self.image_id[rows], self.kind[rows], self.size_bytes[rows], file)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The offers as a data frame."""
        texts = {"image_id": self.image_id, "kind": self.kind}
        file = {} if self.file is None else {"file": self.file}
        columns = {**texts, "size_bytes": self.size_bytes, **file}
        return frame_of(columns, texts=("image_id", "kind", "file"))


@dataclass(frozen=True, eq=False)
class SentBefore:
    """Images that a method sent in earlier rounds.

    Args:
        image_id: Their names, in the order in which they were sent.
        features: Their features by today's model; None where nobody needs them.
        descriptors: Their descriptors; None where nobody needs them.
    """

    image_id: tuple[str, ...] = ()
    features: Features | None = None
    descriptors: Features | None = None


@dataclass(frozen=True, slots=True)
class Nearness:
    """Which images look the same, as copies of some frames show it.

    Args:
        distance: Distance up to which two are near-duplicates: of their descriptors, or of
            descriptor and weighted features as one vector.
        feature_weight: What features are multiplied by; 0 = descriptors alone.
    """

    distance: float
    feature_weight: float = 0.0


@dataclass(frozen=True, eq=False)
class Pool:
    """The input of a sampling method: one batch as the node has it, without ground truth.

    Args:
        offers: What could be sent, each image in one form. Their order does not matter to any
            method.
        detections: Fused detections of these images; an image may have none.
        sent_before: What the method sent in earlier rounds.
        validation: What the ensemble sees in validation images; None where nobody needs it.
        nearness: Which images look the same; None where nobody needs it.
        arrivals: How nodes chose the images; None where nobody needs it.

    Raises:
        ValueError: If a detection is of an image that is not in the pool.
    """

    offers: Offers
    detections: FusedDetections
    sent_before: SentBefore = field(default_factory=SentBefore)
    validation: Validation | None = None
    nearness: Nearness | None = None
    arrivals: Arrivals | None = None

    def __post_init__(self) -> None:
        if np.any(positions(self.detections.image_id, self.offers.image_id.tolist()) < 0):
            raise ValueError("a detection is of an image that is not in the pool")

    def __len__(self) -> int:
        return len(self.offers.image_id)

    @cached_property
    def image_id(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(self.offers.image_id.tolist())

    @cached_property
    def undetected(self) -> BoolArray:
        """Which images have no detection, in the order of `image_id`, shape (n,)."""
        return ~np.isin(self.image_id, self.detections.image_id)

    @property
    def size_bytes(self) -> IntArray:
        """Cost of sending each image, in the order of `image_id`."""
        return self.offers.size_bytes

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Path of each image's file, or none where files do not matter."""
        return () if self.offers.file is None else tuple(self.offers.file.tolist())

    @property
    def has(self) -> frozenset[Need]:
        """What it holds beside detections, of what methods may need."""
        known: dict[Need, object] = {
            "scores": self.detections.scores,
            "features": self.detections.features,
            "descriptors": self.detections.descriptors,
            "disagreement": self.detections.vote_fraction,
            "validation": self.validation,
            "nearness": self.nearness,
            "arrivals": self.arrivals,
        }
        return frozenset(need for need, values in known.items() if values is not None)

    @cached_property
    def features(self) -> Float32Array | None:
        """Features of the images, in the order of `image_id`, shape (n, d).

        None where the method does not say that it needs them.
        """
        known = self.detections.features
        return None if known is None else known.of(self.image_id)

    @cached_property
    def descriptors(self) -> Float32Array | None:
        """Descriptors of the images, in the order of `image_id`, shape (n, d).

        None where the method does not say that it needs them.
        """
        known = self.detections.descriptors
        return None if known is None else known.of(self.image_id)

    def take(self, rows: IntArray) -> Pool:
        """Return the part of the pool with the offers at `rows`."""
        offers = self.offers.take(rows)
        detections = self.detections.of_images(offers.image_id.tolist())
        return replace(self, offers=offers, detections=detections)
