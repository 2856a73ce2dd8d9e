"""The base of all sampling methods: a frozen, validated config with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from backhaul.arrays import FloatArray, IntArray
from backhaul.errors import InputError
from backhaul.settings import Probability
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import NO_NEEDS, Need
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class SamplingMethod(BaseModel, ABC):
    """Chooses which images of a pool to send. It never sees ground truth.

    Subclasses add ``kind``, a ``Literal`` with the method's name as its default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    retrains_without_new: ClassVar[bool] = False
    """Whether the detector is retrained although nothing was sent (the control arm)."""

    needs: ClassVar[frozenset[Need]] = NO_NEEDS
    """What it needs in a pool beside detections; it is computed for methods that say so."""

    source: ClassVar[str] = "this project"
    """Where the method is from."""

    kind: str
    label: str = Field(
        "",
        max_length=100,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z])?$",
        description="name in tables and files; must end in a letter; empty = the kind",
    )

    @model_validator(mode="after")
    def _default_label(self) -> Self:
        if not self.label:
            object.__setattr__(self, "label", self.kind)
        return self

    @property
    def revision(self) -> int:
        """Raised for settings by which other images are chosen than before; 1 enters no key."""
        return 1

    @abstractmethod
    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images to send, in the order they were drawn.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.
        """

    def require(self, pool: Pool) -> None:
        """Do nothing if a pool has what this method needs.

        Raises:
            InputError: If it lacks something.
        """
        if missing := ", ".join(sorted(self.needs - pool.has)):
            raise InputError(
                f"{self.label}: needs {missing}, and the pool has detections without: a "
                "detector must be asked for it when it looks"
            )

    def selection(
        self,
        image_id: Sequence[str],
        size_bytes: IntArray,
        weight: FloatArray,
        reason: Sequence[str],
    ) -> Selection:
        """Return a selection of these images, drawn by this method.

        Args:
            image_id: The images, n of them.
            size_bytes: Cost of sending each, shape (n,).
            weight: Weight with which each was drawn, shape (n,).
            reason: Why each was drawn, in words.
        """
        return Selection(
            image_id=names_of(image_id),
            size_bytes=size_bytes,
            weight=weight,
            method=names_of([self.label] * len(image_id)),
            reason=names_of(reason),
        )


class WeighingMethod(SamplingMethod, ABC):
    """Weighs images, so that it can weigh what they cost as well."""

    gamma: Probability = Field(
        0.0, description="weights are divided by bytes^gamma; 1 favours tiny, empty images"
    )

    def per_byte(self, weight: FloatArray, size_bytes: IntArray) -> FloatArray:
        """Return weight / bytes^gamma, positive also where that is too small for a float.

        Args:
            weight: Weights, > 0, shape (n,).
            size_bytes: What sending the images costs, > 0, shape (n,).
        """
        return np.maximum(weight / size_bytes**self.gamma, np.nextafter(0.0, 1.0))
