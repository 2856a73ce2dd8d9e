"""Send the images of greatest utility first."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from backhaul.arrays import FloatArray, IntArray
from backhaul.sampling.base import WeighingMethod
from backhaul.sampling.calibration import Calibration, calibrated
from backhaul.sampling.density import NonNegative
from backhaul.sampling.sightings import by_name
from backhaul.sampling.spending import fitting
from backhaul.sampling.utilities import UTILITIES, Aggregate, UtilityName, aggregate
from backhaul.settings import PositiveInt
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import positions
from backhaul.values.detections import Need
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection

LEAST = 1e-12
"""No value counts as less, so that all have a logarithm, and an order by bytes among them."""


class ValuingMethod(WeighingMethod, ABC):
    """Gives images a value by a utility of their objects, and puts them in an order by it.

    Images go in the order of log(value / bytes^gamma) + noise x a Gumbel variate. So without
    noise the greatest come first, ties in random order; with noise 1 it is the weighted draw of
    the other methods, in proportion to value / bytes^gamma, and in between the values sharpened
    by the power 1 / noise. Noise on the logarithm means the same for utilities of any unit.
    """

    utility: UtilityName = Field(description="what an object is worth")
    aggregate: Aggregate = Field(
        "max", description="from objects to image; sum favours crowded images"
    )
    top: PositiveInt = Field(3, description="with aggregate top: the mean of so many objects")
    noise: NonNegative = Field(
        0.0, description="0 = greatest first, 1 = draw in proportion to the value"
    )
    calibration: Calibration = Field(
        "temperature", description="with calibrated-confidence: by one number, or a curve"
    )

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the settings
        """What the utility needs besides detections."""
        return super().needs | UTILITIES[self.utility].needs

    def values(self, pool: Pool) -> FloatArray:
        """Return the value of each image, NaN where no value is known, shape (n_images,).

        That is where nothing was detected, or nothing whose value is known.
        """
        image = positions(pool.detections.image_id, pool.image_id)
        how = UTILITIES[self.utility].aggregate or self.aggregate
        return aggregate(self.object_values(pool), image, len(pool), how, self.top)

    def object_values(self, pool: Pool) -> FloatArray:
        """Return the value of each object, NaN where it is not known, shape (n_objects,)."""
        utility, found = UTILITIES[self.utility], pool.detections
        if "validation" in utility.needs and pool.validation is not None:
            known = calibrated(found.confidence, pool.validation, self.calibration)
            found = replace(found, calibrated=known)
        return utility.of(found)

    def order_by(self, weight: FloatArray, rng: np.random.Generator) -> IntArray:
        """Return rows in the order in which images go, shape (n,).

        Args:
            weight: value / bytes^gamma of each image, > 0, shape (n,).
            rng: Draws the noise, and the order of ties.
        """
        ties = rng.permutation(len(weight))
        keys = np.log(weight[ties]) + self.noise * rng.gumbel(size=len(weight))
        return np.asarray(ties[np.argsort(-keys, kind="stable")])


class UtilitySampling(ValuingMethod):
    """The images of greatest utility, by the doubt, or disagreement, about their objects."""

    kind: Literal["utility"] = "utility"
    undetected: Literal["zero", "highest"] = Field(
        "zero", description="value of an image without a value: 0, or the greatest of the pool"
    )

    @model_validator(mode="after")
    def _default_label(self) -> Self:
        if not self.label:
            object.__setattr__(self, "label", self.utility)
        return self

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images of greatest value, those that still fit.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.

        Raises:
            InputError: If the pool lacks what the utility needs.
        """
        self.require(pool)
        rows = by_name(pool)
        size_bytes = pool.size_bytes[rows]
        known = self.values(pool)[rows]
        value = np.where(np.isnan(known), self._without(known), known)
        weight = self.per_byte(np.maximum(value, LEAST), size_bytes)
        order = self.order_by(weight, rng)
        sent = order[fitting(size_bytes[order], bandwidth)]
        reason = [
            "no value" if unknown else f"{self.utility} {number:.3g}"
            for unknown, number in zip(
                np.isnan(known[sent]).tolist(), value[sent].tolist(), strict=True
            )
        ]
        names = [pool.image_id[row] for row in rows[sent].tolist()]
        return self.selection(names, size_bytes[sent], weight[sent], reason)

    def _without(self, known: FloatArray) -> float:
        """Return the value of images without one."""
        if self.undetected == "zero" or np.isnan(known).all():
            return 0.0
        return float(np.nanmax(known))
