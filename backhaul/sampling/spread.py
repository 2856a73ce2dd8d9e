"""Methods that choose images that differ from each other, and from what was sent before."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.diversity.choice import Choice
from backhaul.sampling.diversity.duplicates import NEAR, distinct_rows
from backhaul.sampling.diversity.typicality import typical_order
from backhaul.sampling.likeness import Near, likeness, needs_of
from backhaul.sampling.sightings import by_name
from backhaul.sampling.spending import FILLED, limits_of
from backhaul.sampling.vectors import seen_and_not, vectors_of
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import NO_NEEDS, Need, VectorNeed
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class SpreadSampling(SamplingMethod):
    """Chooses images by their vectors: descriptors of the image, or features of the detector.

    An image whose vector is zero was not looked at, or is black; it is sent last.
    """

    space: VectorNeed = Field(
        "descriptors",
        description="what tells images apart: colours and textures, or the detector's features",
    )

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the settings
        """The vectors of `space`."""
        return super().needs | {self.space}

    @abstractmethod
    def choose(self, choice: Choice, pool: Pool, rng: np.random.Generator) -> None:
        """Choose images, until nothing fits any more.

        Args:
            choice: An empty choice; it gets the images.
            pool: Candidates, by name.
            rng: The only source of randomness.
        """

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images to send, in the order they were chosen.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.

        Raises:
            InputError: If the pool lacks what the method needs.
        """
        self.require(pool)
        pool = pool.take(by_name(pool))
        own, known = vectors_of(pool, self.space)
        choice = Choice(own, known, pool.size_bytes, limits_of(bandwidth))
        self.choose(choice, pool, rng)
        rows = np.array(choice.rows, dtype=np.int64)
        names = [pool.image_id[row] for row in choice.rows]
        return self.selection(names, pool.size_bytes[rows], np.ones(len(rows)), choice.reasons)


class KCenterSampling(SpreadSampling):
    """The farthest image next, from all chosen ones and all sent before (k-center greedy)."""

    source: ClassVar[str] = "Sener and Savarese 2018"

    kind: Literal["k-center"] = "k-center"
    suppress: bool = Field(
        False, description="near-duplicates by their descriptors come last, all but the first"
    )
    near: Near = Field(
        NEAR,
        description="distance of descriptors up to which images are near-duplicates; auto = as "
        "copies of frames of the batch show",
    )

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the settings
        """The vectors of `space`, and those for near-duplicates."""
        return super().needs | (needs_of(self.near) if self.suppress else NO_NEEDS)

    def choose(self, choice: Choice, pool: Pool, rng: np.random.Generator) -> None:
        """Choose by k-center, and near-duplicates only for what is left.

        Args:
            choice: An empty choice; it gets the images.
            pool: Candidates, by name.
            rng: Not used.
        """
        seen, unseen = seen_and_not(pool, self.space)
        candidates = seen
        if self.suppress:
            own, known, near = likeness(pool, self.near, self.space)
            candidates = seen[distinct_rows(own[seen], known, near)]
        choice.spread(candidates, distance_in_words)
        choice.spread(seen, lambda _: f"near-duplicate, {FILLED}")
        choice.take(unseen, FILLED)


class TypicalitySampling(SpreadSampling):
    """Typical images of clusters of which least was sent, large ones first (TypiClust)."""

    source: ClassVar[str] = "Hacohen et al. 2022"

    kind: Literal["typicality"] = "typicality"
    least_cluster: int = Field(
        1, ge=1, description="images of smaller clusters come last; 6 is TypiClust's"
    )

    def choose(self, choice: Choice, pool: Pool, rng: np.random.Generator) -> None:
        """Choose the most typical image of one cluster after the other.

        Args:
            choice: An empty choice; it gets the images.
            pool: Candidates, by name.
            rng: Draws where the clusters start.
        """
        seen, unseen = seen_and_not(pool, self.space)
        own, known = vectors_of(pool, self.space)
        budget = _most_images(choice, pool)
        order = typical_order(own[seen], known, budget, least_size=self.least_cluster, rng=rng)
        choice.take(seen[order], "typical of its cluster")
        choice.take(unseen, FILLED)


def distance_in_words(distance: float) -> str:
    """Return why an image was chosen, given its distance from all before it."""
    if math.isinf(distance):
        return "nearest to the mean of all"
    return f"{distance:.3g} from the nearest sent"


def _most_images(choice: Choice, pool: Pool) -> int:
    """Return about how many images the bandwidth is for, at least one."""
    images, size = choice.left
    mean = pool.size_bytes.mean() if len(pool) else 1
    return int(max(1, min(images, size / mean, len(pool))))
