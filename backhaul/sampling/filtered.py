"""Send the images that a filter calls hard."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from backhaul.sampling.base import WeighingMethod
from backhaul.sampling.hardexamples import HardExampleFilter, Objects
from backhaul.sampling.sightings import by_name
from backhaul.sampling.spending import FILLED, fitting
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import positions
from backhaul.values.detections import Need
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class HardExampleSampling(WeighingMethod):
    """Images that a filter calls hard, in random order.

    A filter knows no budget: of too many hard images chance decides, and of too few what is
    left of the bandwidth is not spent, unless `fill` gives it to the others.
    """

    kind: Literal["hard-example"] = "hard-example"
    filter: HardExampleFilter = Field(description="which images are hard: a name, or kind")
    fill: bool = Field(False, description="spend what is left on images that are not hard")

    @model_validator(mode="after")
    def _default_label(self) -> Self:
        if not self.label:
            object.__setattr__(self, "label", f"hard-{self.filter.kind}")
        return self

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the filter
        """What the filter needs besides detections."""
        return self.filter.needs

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the hard images that still fit, then perhaps others.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.

        Raises:
            InputError: If the pool lacks what the filter needs.
        """
        self.require(pool)
        rows = by_name(pool)
        names = [pool.image_id[row] for row in rows.tolist()]
        image = positions(pool.detections.image_id, names)
        hard = self.filter.hard(Objects(pool.detections, image, len(pool)), rng)
        size_bytes = pool.size_bytes[rows]
        weight = self.per_byte(np.ones(len(rows)), size_bytes)
        keys = np.log(weight) + rng.gumbel(size=len(rows))
        order = np.lexsort((-keys, ~hard))
        order = order[: None if self.fill else np.count_nonzero(hard)]
        sent = order[fitting(size_bytes[order], bandwidth)]
        words = f"hard by {self.filter.kind}"
        reason = [words if each else FILLED for each in hard[sent].tolist()]
        return self.selection([names[i] for i in sent], size_bytes[sent], weight[sent], reason)
