"""Methods that draw in proportion to a density over confidence."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, TypeAlias, TypeGuard

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from backhaul.arrays import FloatArray
from backhaul.code import Code, UserCode
from backhaul.errors import InputError
from backhaul.sampling.confidence import ConfidenceSampling
from backhaul.settings import Probability

MAX_Z = 8.0  # keeps far images possible instead of underflowing to weight 0
BELOW_ONE = float(np.nextafter(1.0, 0.0))  # densities live on [0, 1); 1 belongs to its end
AREA_POINTS = 10_000

NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class NormalDensity(BaseModel):
    """A normal density relative to its peak; a spread of 0 is a point at the mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: Probability = Field(description="confidence that is likeliest")
    std: NonNegative = Field(description="standard deviation, in units of confidence")

    def at(self, confidence: FloatArray) -> FloatArray:
        """Return exp(-z^2 / 2), with z at most `MAX_Z`, shape (n,)."""
        spread = max(self.std, 1e-12)
        z = np.minimum(np.abs(confidence - self.mean) / spread, MAX_Z)
        return np.asarray(np.exp(-0.5 * z**2))


class PiecewiseDensity(BaseModel):
    """A density that is constant between edges and 0 outside.

    Example:
        >>> density = PiecewiseDensity(edges=(0, 0.5, 1), values=(1, 3))
        >>> density.at(np.array([0.2, 0.5, 1.0])).tolist()
        [1.0, 3.0, 0.0]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[Probability, ...] = Field(
        min_length=2, description="confidences in ascending order"
    )
    values: tuple[NonNegative, ...] = Field(
        description="density from each edge to the next, in any unit"
    )

    @model_validator(mode="after")
    def _check_table(self) -> Self:
        if not np.all(np.diff(self.edges) > 0):
            raise ValueError(f"edges must ascend, got {self.edges}")
        if len(self.values) != len(self.edges) - 1:
            raise ValueError(f"expected {len(self.edges) - 1} values, got {len(self.values)}")
        return self

    def at(self, confidence: FloatArray) -> FloatArray:
        """Return the density, shape (n,)."""
        padded = np.array([0.0, *self.values, 0.0])
        return padded[np.searchsorted(self.edges, confidence, side="right")]


Density: TypeAlias = PiecewiseDensity | NormalDensity | Code
"""A table, a normal density, or a function of confidences, shape (n,), to densities."""


def evaluate(density: Density, confidence: FloatArray) -> FloatArray:
    """Return `density` at confidences in [0, 1], shape (n,); at 1 it is that just below 1.

    Raises:
        InputError: If a user's function returns another shape, or a value that is negative or
            not finite.
    """
    confidence = np.minimum(confidence, BELOW_ONE)
    if not isinstance(density, UserCode):
        return density.at(confidence)
    with density.running():
        values = np.asarray(density.load()(confidence, **density.params), dtype=np.float64)
    if values.shape != confidence.shape:
        raise InputError(
            f"{density.use}: expected densities of shape {confidence.shape}, got {values.shape}"
        )
    if not np.all(np.isfinite(values) & (values >= 0)):
        raise InputError(f"{density.use}: expected densities that are finite and not negative")
    return values


def areas(density: Density, edges: FloatArray) -> FloatArray:
    """Return the area under `density` between edges (midpoint rule), shape (n_edges - 1,).

    A normal density that is narrower than the points are apart is a point in its bin.
    """
    width = np.diff(edges)[:, None]
    points = edges[:-1, None] + width * (np.arange(AREA_POINTS) + 0.5) / AREA_POINTS
    if may_be_missed(density):
        row = int(np.searchsorted(edges, min(density.mean, BELOW_ONE), side="right")) - 1
        if 0 <= row < len(width) and density.std < float(width[row, 0]) / AREA_POINTS:
            points[row, np.abs(points[row] - density.mean).argmin()] = density.mean
    values = evaluate(density, points.ravel()).reshape(points.shape)
    return np.asarray(values.mean(axis=1) * width[:, 0])


def may_be_missed(density: Density | None) -> TypeGuard[NormalDensity]:
    """Return whether `AREA_POINTS` points in a bin may all be beside the peak of a density."""
    return isinstance(density, NormalDensity) and density.std < 1 / AREA_POINTS


class NormalSampling(ConfidenceSampling):
    """Near the mean of each class, as far as its confidences spread."""

    kind: Literal["normal"] = "normal"

    def weights(self, confidence: FloatArray, population: FloatArray) -> FloatArray:
        """Return the normal density of the class's mean and standard deviation, shape (n,)."""
        mean, std = float(population.mean()), float(population.std())
        return NormalDensity(mean=min(mean, 1.0), std=std).at(confidence)


class MidNormalSampling(ConfidenceSampling):
    """Near the middle of the scale."""

    kind: Literal["mid-normal"] = "mid-normal"

    def weights(self, confidence: FloatArray, population: FloatArray) -> FloatArray:
        """Return the normal density of mean 0.5 and standard deviation 0.25, shape (n,)."""
        return NormalDensity(mean=0.5, std=0.25).at(confidence)


class ProbabilitySampling(ConfidenceSampling):
    """In proportion to any density over [0, 1)."""

    source: ClassVar[str] = "this project"

    kind: Literal["probability"] = "probability"
    density: Density = Field(
        description="edges and values, mean and std, or module:function (confidences in, "
        "densities out)"
    )

    def weights(self, confidence: FloatArray, population: FloatArray) -> FloatArray:
        """Return the density at each confidence, shape (n,)."""
        return evaluate(self.density, confidence)
