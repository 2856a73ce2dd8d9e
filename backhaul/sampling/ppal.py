"""Plug and play active learning (PPAL): difficult objects first, then images that differ."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from backhaul.arrays import FloatArray, IntArray
from backhaul.sampling.density import NonNegative
from backhaul.sampling.difficulty import class_weight, difficulty
from backhaul.sampling.diversity.choice import Cap, Choice
from backhaul.sampling.diversity.matched import (
    class_mass,
    class_matched_distances,
    farthest_first,
    medoids,
)
from backhaul.sampling.diversity.shares import part, shortlist
from backhaul.sampling.ranked import LEAST, ValuingMethod
from backhaul.sampling.spending import FILLED
from backhaul.sampling.spread import SpreadSampling
from backhaul.sampling.utilities import NOT_OF_ALL, Aggregate, UtilityName
from backhaul.sampling.vectors import seen_and_not, vectors_of
from backhaul.settings import Probability
from backhaul.values.columns import positions
from backhaul.values.detections import Need, VectorNeed
from backhaul.values.offers import Pool

MOST_COMPARED = 4000
"""Most candidates: each is compared with each, in half a gigabyte."""


class PpalSampling(SpreadSampling, ValuingMethod):
    """Images of uncertain objects of difficult classes, one of each cluster of alike ones.

    The images of greatest value, the sum of the uncertainties of their objects by the
    difficulty of their classes, are candidates for several times the bandwidth. They are
    clustered by a distance that compares objects of one class with each other, and the middle
    of each cluster is sent. An image in which nothing was detected has no value, so the paper
    never sends one; here such images get a small share.
    """

    source: ClassVar[str] = "Yang et al. 2024"

    kind: Literal["ppal"] = "ppal"
    space: VectorNeed = Field(
        "features",
        description="what tells images apart: colours and textures, or the detector's features",
    )
    utility: UtilityName = Field("entropy", description="what an object is worth")
    aggregate: Aggregate = Field(
        "sum", description="from objects to image; sum favours crowded images"
    )
    candidates: float = Field(
        4.0, ge=1, description="multiple of the bandwidth that the best images may cost"
    )
    alpha: Annotated[float, Field(ge=0.01)] = Field(
        0.3, description="the smaller, the sooner a class counts as difficult"
    )
    beta: NonNegative = Field(
        0.2, description="by how much objects of the most difficult class count more"
    )
    xi: Probability = Field(
        0.6, description="how much the class counts in the quality of a detection, beside IoU"
    )
    include_undetected: bool = Field(
        True, description="also send images without any detection, which the paper never does"
    )
    most_empty: Probability = Field(
        0.1, description="share of the bandwidth for images without any detection"
    )

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the settings
        """The vectors of `space`, what the utility needs, and validation images."""
        return super().needs | {"validation"}

    def object_values(self, pool: Pool) -> FloatArray:
        """Return the value of each object by the difficulty of its class, shape (n_objects,).

        Raises:
            ValueError: If the pool lacks validation.
        """
        if pool.validation is None:
            raise ValueError("expected a pool with validation")
        hard = difficulty(pool.validation, pool.detections.class_id, self.xi)
        return super().object_values(pool) * class_weight(hard, self.alpha, self.beta)

    @property
    def revision(self) -> int:
        """2 with utilities that are not known of every object: such images counted as empty."""
        return 2 if self.utility in NOT_OF_ALL else super().revision

    def choose(self, choice: Choice, pool: Pool, rng: np.random.Generator) -> None:
        """Choose few images without detection, the middles of clusters, then what still fits.

        Args:
            choice: An empty choice; it gets the images.
            pool: Candidates, by name.
            rng: Breaks ties, and draws the noise.
        """
        value = self.values(pool)
        empty = pool.undetected
        seen, unseen = seen_and_not(pool, self.space)
        bare = seen[empty[seen]]
        if self.include_undetected:
            most = Cap(empty, part(choice.left, self.most_empty))
            choice.spread(bare, lambda _: "without detection", most)
        weight = self.per_byte(np.maximum(np.nan_to_num(value), LEAST), pool.size_bytes)
        full = seen[~empty[seen]]
        best_first = choice.open(full[self.order_by(weight[full], rng)])
        limits = part(choice.left, self.candidates)
        best = shortlist(best_first, choice.cost[best_first], limits)
        choice.take(self._middles(choice, pool, best.candidates), "middle of its cluster")
        choice.take(best_first, FILLED)
        if self.include_undetected:
            choice.spread(bare, lambda _: f"without detection, {FILLED}")
            choice.take(unseen, FILLED)
        else:
            choice.take(unseen[~empty[unseen]], FILLED)

    def _middles(self, choice: Choice, pool: Pool, rows: IntArray) -> IntArray:
        """Return as many as the bandwidth is for, each the middle of a cluster."""
        rows = np.sort(rows[:MOST_COMPARED])
        names = [pool.image_id[row] for row in rows.tolist()]
        image = positions(pool.detections.image_id, names)
        own, _ = vectors_of(pool, self.space)
        mass = class_mass(pool.detections, image, len(rows))
        apart = class_matched_distances(own[rows], mass)
        start = farthest_first(apart, choice.cost[rows], choice.left)
        return rows[medoids(apart, start)]
