"""Methods that draw uniformly from an interval of confidence.

An interval is [lower, upper), closed at 1 and where both bounds coincide.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from backhaul.arrays import FloatArray
from backhaul.sampling.confidence import ConfidenceSampling
from backhaul.settings import Probability


class IntervalSampling(ConfidenceSampling):
    """Every detection inside the bounds weighs 1, every other one 0."""

    @abstractmethod
    def bounds(self, population: FloatArray) -> tuple[float, float]:
        """Return the lower and the upper bound for a class, given its confidences."""

    def weights(self, confidence: FloatArray, population: FloatArray) -> FloatArray:
        """Return 1 inside the interval and 0 outside, shape (n,)."""
        lower, upper = self.bounds(population)
        closed = upper in (1.0, lower)
        below = confidence <= upper if closed else confidence < upper
        return np.where((confidence >= lower) & below, 1.0, 0.0)


class FixedIntervalSampling(IntervalSampling):
    """Bounds that are the same for every class and pool."""

    interval: ClassVar[tuple[float, float]]

    def bounds(self, population: FloatArray) -> tuple[float, float]:
        """Return `interval`."""
        return self.interval


class RandomSampling(FixedIntervalSampling):
    """Any confidence, equal shares for the predicted classes."""

    kind: Literal["random"] = "random"
    interval = (0.0, 1.0)


class TrueRandomSampling(FixedIntervalSampling):
    """Uniform over images, whatever was predicted."""

    source: ClassVar[str] = "uniform draw"

    kind: Literal["true-random"] = "true-random"
    stratify: Literal[False] = Field(
        False, description="always false; stratified it is `random`"
    )
    interval = (0.0, 1.0)


class MidThreshSampling(FixedIntervalSampling):
    """The more confident half of the scale, [0.5, 1]."""

    kind: Literal["mid-thresh"] = "mid-thresh"
    interval = (0.5, 1.0)


class MidBelowThreshSampling(FixedIntervalSampling):
    """The less confident half of the scale, [0, 0.5)."""

    kind: Literal["mid-below-thresh"] = "mid-below-thresh"
    interval = (0.0, 0.5)


class MedianThreshSampling(IntervalSampling):
    """The more confident half of each class."""

    kind: Literal["median-thresh"] = "median-thresh"

    def bounds(self, population: FloatArray) -> tuple[float, float]:
        """Return the median and 1."""
        return float(np.median(population)), 1.0


class MedianBelowThreshSampling(IntervalSampling):
    """The less confident half of each class.

    The half runs from the least confidence to the median. Where these coincide it is closed, so
    that a class of one detection, or of equal ones, is not lost.

    Example:
        >>> MedianBelowThreshSampling().bounds(np.array([0.2, 0.4, 0.9]))
        (0.0, 0.4)
    """

    kind: Literal["median-below-thresh"] = "median-below-thresh"

    def bounds(self, population: FloatArray) -> tuple[float, float]:
        """Return 0 and the median, or what is just above it where nothing lies below."""
        median = np.median(population)
        upper = median if population.min() < median else np.nextafter(median, 1.0)
        return 0.0, float(upper)


class IqrSampling(IntervalSampling):
    """The middle half of each class, between its quartiles."""

    kind: Literal["iqr"] = "iqr"

    def bounds(self, population: FloatArray) -> tuple[float, float]:
        """Return the first and the third quartile (linear interpolation)."""
        first, third = np.quantile(population, [0.25, 0.75])
        return float(first), float(third)


class InRangeSampling(IntervalSampling):
    """Confidences from `low` to below `high`.

    Example:
        >>> method = InRangeSampling(low=0.2, high=0.4)
        >>> method.weights(np.array([0.2, 0.4]), np.zeros(1)).tolist()
        [1.0, 0.0]
    """

    source: ClassVar[str] = "this project"

    kind: Literal["in-range"] = "in-range"
    low: Probability = Field(description="least confidence")
    high: Probability = Field(description="confidences are below this; 1 is included")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, got low={self.low}, high={self.high}")
        return self

    def bounds(self, population: FloatArray) -> tuple[float, float]:
        """Return `low` and `high`."""
        return self.low, self.high
