"""The method that chooses images that differ among those of greatest value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from backhaul.arrays import FloatArray, IntArray
from backhaul.sampling.diversity.choice import Cap, Choice
from backhaul.sampling.diversity.duplicates import NEAR
from backhaul.sampling.diversity.shares import (
    Shortlist,
    distinct_shortlist,
    random_share,
    shortlist,
)
from backhaul.sampling.spread import (
    FILLED,
    SpreadSampling,
    distance_in_words,
    seen_and_not,
    vectors_of,
)
from backhaul.settings import Probability
from backhaul.values.columns import positions
from backhaul.values.detections import Need
from backhaul.values.offers import Pool

Value: TypeAlias = Literal["entropy", "confidence"]

_LARGEST = 3


class DiverseSampling(SpreadSampling):
    """Images of uncertain objects that differ: the most valuable first, then k-center.

    A share of the bandwidth is drawn at random. Then near-duplicates are put aside, the best
    images for several times what is left are candidates, and k-center chooses among them, few
    without any detection. What still fits after that is filled by value, near-duplicates last.
    """

    kind: Literal["diverse"] = "diverse"
    value: Value = Field(
        "entropy",
        description="of an image: mean of its three largest entropies, or largest confidence",
    )
    candidates: float = Field(
        4.0, ge=1, description="multiple of the bandwidth that the best images may cost"
    )
    suppress: bool = Field(
        True, description="of near-duplicates by their descriptors the most valuable is enough"
    )
    near: float = Field(
        NEAR, ge=0, description="distance of descriptors up to which images are near-duplicates"
    )
    most_empty: Probability = Field(
        0.1, description="share of the bandwidth for images without any detection"
    )
    noise: float = Field(0.1, ge=0, description="scale of Gumbel noise on the values")
    explore: Probability = Field(
        0.1, description="share of the bandwidth that is drawn at random"
    )

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the settings
        """The vectors of `space`, and descriptors for near-duplicates."""
        return super().needs | ({"descriptors"} if self.suppress else set())

    def choose(self, choice: Choice, pool: Pool, rng: np.random.Generator) -> None:
        """Choose at random, then among the best by k-center, then what still fits.

        Args:
            choice: An empty choice; it gets the images.
            pool: Candidates, by name.
            rng: Draws the random share and the noise.
        """
        empty = ~np.isin(np.arange(len(pool)), image_of_each(pool))
        value = VALUES[self.value](pool) + self.noise * rng.gumbel(size=len(pool))
        limits = choice.left
        choice.take(random_share(choice.cost, limits, self.explore, rng), "explored at random")

        seen, unseen = seen_and_not(pool, self.space)
        best_first = choice.open(seen[np.argsort(-value[seen], kind="stable")])
        full = self._shortlist(choice, pool, best_first[~empty[best_first]], 1.0)
        bare = self._shortlist(
            choice, pool, best_first[empty[best_first]], self.most_empty, full.candidates
        )
        spent = choice.cost[choice.rows][empty[choice.rows]].sum(axis=0)
        most = np.maximum(_part(limits, self.most_empty) - spent, 0)
        among = np.concatenate([full.candidates, bare.candidates])
        choice.spread(among, distance_in_words, Cap(empty, most))

        choice.take(full.others, FILLED)
        rest = np.concatenate([bare.candidates, bare.others])
        choice.spread(rest, lambda _: f"without detection, {FILLED}")
        choice.take(full.duplicates, f"near-duplicate, {FILLED}")
        choice.take(bare.duplicates, f"near-duplicate without detection, {FILLED}")
        choice.take(unseen, FILLED)

    def _shortlist(
        self,
        choice: Choice,
        pool: Pool,
        rows: IntArray,
        share: float,
        others: IntArray | None = None,
    ) -> Shortlist:
        """Return the candidates among images by falling value, for a share of the bandwidth.

        Near-duplicates of what was chosen, and of `others`, are none.
        """
        cost = choice.cost[rows]
        limits = _part(choice.left, self.candidates * share)
        if not self.suppress:
            return shortlist(rows, cost, limits)
        own, known = vectors_of(pool, "descriptors")
        chosen = own[choice.rows]
        known = np.concatenate([known, chosen, own[:0] if others is None else own[others]])
        return distinct_shortlist(rows, cost, limits, own[rows], known, self.near)


def largest_entropies(pool: Pool) -> FloatArray:
    """Return the mean of the three largest binary entropies of each image's objects.

    In nats, in [0, log 2]; of all objects where an image has fewer than three, 0 where it has
    none; shape (n_images,).
    """
    image, p = image_of_each(pool), pool.detections.confidence
    entropy = -_p_log_p(p) - _p_log_p(1 - p)
    order = np.lexsort((-entropy, image))
    starts = np.flatnonzero(np.diff(image[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    largest = order[place < _LARGEST]
    total = np.bincount(image[largest], entropy[largest], minlength=len(pool))
    count = np.bincount(image[largest], minlength=len(pool))
    return np.asarray(total / np.maximum(count, 1))


def largest_confidence(pool: Pool) -> FloatArray:
    """Return the largest confidence of each image's objects, 0 for none, shape (n_images,)."""
    most = np.zeros(len(pool))
    np.maximum.at(most, image_of_each(pool), pool.detections.confidence)
    return most


VALUES: Mapping[Value, Callable[[Pool], FloatArray]] = {
    "entropy": largest_entropies,
    "confidence": largest_confidence,
}
"""What images are worth, by name."""


def image_of_each(pool: Pool) -> IntArray:
    """Return the row of the image of each object, shape (n_objects,)."""
    return positions(pool.detections.image_id, pool.image_id)


def _p_log_p(p: FloatArray) -> FloatArray:
    return np.asarray(p * np.log(np.where(p > 0, p, 1)))


def _part(limits: FloatArray, share: float) -> FloatArray:
    """Return a share of the limits; no limit stays none."""
    return np.multiply(limits, share, out=limits.copy(), where=np.isfinite(limits))
