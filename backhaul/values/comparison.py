"""What a comparison of two models found, and what a gate makes of it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

Ruling: TypeAlias = Literal["accepted", "rejected", "awaiting"]
"""What became of a candidate; ``awaiting`` = a person has to say."""


class Measure(BaseModel):
    """A figure with its interval.

    Args:
        value: The figure.
        low: Lower end of its 95 % interval; None = no interval is known.
        high: Upper end.
        n: What it was measured on: images, frames.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Rule(BaseModel):
    """What one rule of the gate found.

    Args:
        rule: Its name, for example ``gain`` or ``floor: car``.
        passed: Whether the candidate keeps to it.
        text: What was found and what was asked, one line.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule: str
    passed: bool
    text: str


class Pair(BaseModel):
    """A figure of two models on the same images; None where it is not defined.

    Args:
        candidate: That of the candidate.
        basis: That of the model that it has to match.
        n: What it was measured on: objects of a class, images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: float | None
    basis: float | None
    n: int


class Comparison(BaseModel):
    """How a candidate does beside the model that it has to match.

    Args:
        metric: What they are compared by.
        candidate: The candidate's figure.
        basis: The other's.
        gain: The difference.
        bound: What the gain is above, except with the probability that was asked for; None
            where nothing can be told.
        n_fresh: Images among them that chance drew on nodes.
        classes: AP50 by class; ``n`` are objects.
        old_test: mAP50 on the old test set; ``n`` are images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    candidate: Measure
    basis: Measure
    gain: Measure
    bound: float | None
    n_fresh: int
    classes: dict[str, Pair]
    old_test: Pair
