"""Methods that choose images that differ among those of greatest value."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from backhaul.arrays import IntArray
from backhaul.sampling.density import NonNegative
from backhaul.sampling.diversity.choice import Cap, Choice
from backhaul.sampling.diversity.duplicates import NEAR
from backhaul.sampling.diversity.shares import (
    Shortlist,
    distinct_shortlist,
    part,
    random_share,
    shortlist,
)
from backhaul.sampling.likeness import Near, likeness, needs_of
from backhaul.sampling.ranked import LEAST, ValuingMethod
from backhaul.sampling.spending import FILLED
from backhaul.sampling.spread import SpreadSampling, distance_in_words
from backhaul.sampling.utilities import NOT_OF_ALL, Aggregate, UtilityName
from backhaul.sampling.vectors import seen_and_not
from backhaul.settings import Probability
from backhaul.values.detections import NO_NEEDS, Need
from backhaul.values.offers import Pool


class DiverseFamily(SpreadSampling, ValuingMethod):
    """The most valuable images first, then k-center among them.

    A share of the bandwidth is drawn at random. Then near-duplicates are put aside, the best
    images for several times what is left are candidates, and k-center chooses among them, few
    without any detection. What still fits after that is filled by value, near-duplicates last.
    """

    utility: UtilityName = Field("confidence-entropy", description="what an object is worth")
    aggregate: Aggregate = Field(
        "top", description="from objects to image; sum favours crowded images"
    )
    gamma: Probability = Field(
        0.5, description="weights are divided by bytes^gamma; 1 favours tiny, empty images"
    )
    noise: NonNegative = Field(
        0.1, description="0 = the greatest are candidates, 1 = drawn in proportion to the value"
    )
    candidates: float = Field(
        4.0, ge=1, description="multiple of the bandwidth that the best images may cost"
    )
    suppress: bool = Field(
        True, description="of near-duplicates by their descriptors the most valuable is enough"
    )
    near: Near = Field(
        NEAR,
        description="distance of descriptors up to which images are near-duplicates; auto = as "
        "copies of frames of the batch show",
    )
    most_empty: Probability = Field(
        0.1, description="share of the bandwidth for images without any detection"
    )
    explore: Probability = Field(
        0.1, description="share of the bandwidth that is drawn at random"
    )

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the settings
        """The vectors of `space`, those for near-duplicates, and what values need."""
        return super().needs | (needs_of(self.near) if self.suppress else NO_NEEDS)

    @property
    def revision(self) -> int:
        """2 with utilities that are not known of every object: such images counted as empty."""
        return 2 if self.utility in NOT_OF_ALL else super().revision

    def choose(self, choice: Choice, pool: Pool, rng: np.random.Generator) -> None:
        """Choose at random, then among the best by k-center, then what still fits.

        Args:
            choice: An empty choice; it gets the images.
            pool: Candidates, by name.
            rng: Draws the random share and the noise.
        """
        value = self.values(pool)
        empty = pool.undetected
        weight = self.per_byte(np.maximum(np.nan_to_num(value), LEAST), pool.size_bytes)
        limits = choice.left
        choice.take(random_share(choice.cost, limits, self.explore, rng), "explored at random")

        seen, unseen = seen_and_not(pool, self.space)
        best_first = choice.open(seen[self.order_by(weight[seen], rng)])
        full = self._shortlist(choice, pool, best_first[~empty[best_first]], 1.0)
        bare = self._shortlist(
            choice, pool, best_first[empty[best_first]], self.most_empty, full.candidates
        )
        spent = choice.cost[choice.rows][empty[choice.rows]].sum(axis=0)
        most = np.maximum(part(limits, self.most_empty) - spent, 0)
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
        limits = part(choice.left, self.candidates * share)
        if not self.suppress:
            return shortlist(rows, cost, limits)
        own, known, near = likeness(pool, self.near, self.space)
        chosen = own[choice.rows]
        known = np.concatenate([known, chosen, own[:0] if others is None else own[others]])
        return distinct_shortlist(rows, cost, limits, own[rows], known, near)


class DiverseSampling(DiverseFamily):
    """Images of uncertain objects that differ: the most valuable first, then k-center."""

    kind: Literal["diverse"] = "diverse"


class DSbadSampling(DiverseFamily):
    """Images of the surest objects that differ, for labels by a teacher (D-SBAD).

    The teacher is right most often where the detector is sure. The most confident images for
    twice the bandwidth are candidates, and k-center chooses among them.
    """

    source: ClassVar[str] = "Manjah et al. 2025"

    kind: Literal["d-sbad"] = "d-sbad"
    utility: UtilityName = Field("confidence", description="what an object is worth")
    aggregate: Aggregate = Field(
        "max", description="from objects to image; sum favours crowded images"
    )
    gamma: Probability = Field(
        0.0, description="weights are divided by bytes^gamma; 1 favours tiny, empty images"
    )
    noise: NonNegative = Field(
        0.0, description="0 = the greatest are candidates, 1 = drawn in proportion to the value"
    )
    candidates: float = Field(
        2.0, ge=1, description="multiple of the bandwidth that the best images may cost"
    )
    suppress: bool = Field(
        False, description="of near-duplicates by their descriptors the most valuable is enough"
    )
    most_empty: Probability = Field(
        0.0, description="share of the bandwidth for images without any detection"
    )
    explore: Probability = Field(
        0.0, description="share of the bandwidth that is drawn at random"
    )
