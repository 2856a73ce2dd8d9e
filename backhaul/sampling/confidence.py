"""Base of the methods that judge an image by the confidence of its detections."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from pydantic import Field

from backhaul.arrays import FloatArray, IntArray
from backhaul.sampling.base import WeighingMethod
from backhaul.sampling.sightings import NONE, Sightings, sightings_of
from backhaul.sampling.spending import FILLED, Candidates, Strata, limits_of, spend
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


@dataclass(frozen=True, slots=True)
class Utility:
    """The value of sending each image.

    Args:
        seen: Detections in the pool.
        rows: The sighting of `seen` for which each candidate may be drawn, shape (n,).
        candidates: Images, each in every stratum in which it is worth something, n of them.
    """

    seen: Sightings
    rows: IntArray
    candidates: Candidates


class ConfidenceSampling(WeighingMethod):
    """Weighs each detection; an image has the largest weight of its detections.

    A subclass says what a detection weighs in the light of all detections of its class. With
    `stratify` an image is a candidate in each of its predicted classes and counts for the one
    that drew it; classes have equal shares. Without, there is one draw over all images.

    An image without detections is of the class "none" with confidence 0, judged by the
    detections of all classes; of the bandwidth, the share of "none" is at most its fraction of
    the pool. In a pool where nothing was detected it is judged by itself.
    """

    source: ClassVar[str] = "bandwidth-aware-learning"

    stratify: bool = Field(True, description="give every predicted class an equal share")
    include_undetected: bool = Field(
        True, description="images without any detection are candidates, with confidence 0"
    )

    @abstractmethod
    def weights(self, confidence: FloatArray, population: FloatArray) -> FloatArray:
        """Return the weights of detections of one class: finite, >= 0, 0 = not eligible.

        Args:
            confidence: What to weigh, shape (n,).
            population: Confidences to take statistics from, never empty, shape (m,).
        """

    def levels(self, seen: Sightings) -> tuple[Strata, ...]:
        """Return the divisions of `seen` among which bandwidth is shared, the outer first."""
        if not self.stratify:
            return ()
        classes, of = np.unique(seen.class_id, return_inverse=True)
        most = np.where(classes == NONE, seen.undetected_fraction, np.inf)
        return (Strata(of, np.ones(classes.size), most),)

    def reason(self, class_id: int, confidence: float) -> str:
        """Return in words why an image was drawn, given the detection that decided it."""
        if class_id == NONE:
            return "undetected"
        return f"class {class_id}, confidence {confidence:.2f}"

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images to send, in the order they were drawn.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.
        """
        utility = self.utility(pool)
        draws = spend(utility.candidates, limits_of(bandwidth), rng=rng)
        rows, seen = utility.rows[draws.rows], utility.seen
        reasons = [
            FILLED if filled else self.reason(class_id, confidence)
            for filled, class_id, confidence in zip(
                draws.filled.tolist(),
                seen.class_id[rows].tolist(),
                seen.confidence[rows].tolist(),
                strict=True,
            )
        ]
        image, weight = seen.image[rows], utility.candidates.weight[draws.rows]
        return self.selection(
            [seen.image_id[i] for i in image], seen.size_bytes[image], weight, reasons
        )

    def utility(self, pool: Pool) -> Utility:
        """Return the value of sending each image, which does not depend on the bandwidth."""
        seen = sightings_of(pool, include_undetected=self.include_undetected)
        weight, levels = self._weigh(seen), self.levels(seen)
        rows = _heaviest(seen, weight, levels)
        size_bytes = seen.size_bytes[seen.image[rows]]
        candidates = Candidates(
            image=seen.image[rows],
            size_bytes=size_bytes,
            weight=self.per_byte(weight[rows], size_bytes),
            levels=tuple(level.take(rows) for level in levels),
        )
        return Utility(seen, rows, candidates)

    def _weigh(self, seen: Sightings) -> FloatArray:
        weight = np.zeros(seen.confidence.size)
        detected = np.sort(seen.confidence[seen.class_id != NONE])
        starts = np.flatnonzero(np.diff(seen.class_id, prepend=NONE - 1))
        for start, end in pairwise([*starts, weight.size]):
            confidence = seen.confidence[start:end]
            from_all = seen.class_id[start] == NONE and detected.size
            weight[start:end] = self.weights(confidence, detected if from_all else confidence)
        return weight


def _heaviest(seen: Sightings, weight: FloatArray, levels: tuple[Strata, ...]) -> IntArray:
    """Return, by image, the heaviest eligible row in each of its strata."""
    rows = np.flatnonzero(weight > 0)
    place = seen.image[rows]
    for level in levels:
        place = place * level.share.size + level.of[rows]
    order = np.lexsort((seen.confidence[rows], weight[rows], place))
    last: IntArray = order[np.diff(place[order], append=-1) != 0]
    return np.asarray(rows[last])
