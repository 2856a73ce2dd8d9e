"""Whether a method does no harm on sets on which it is not expected to win."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backhaul.report.wording import plural, signed
from backhaul.study.statistics import Effect

LEAST_MEAN = -0.01
LEAST_LOW = -0.02
"""Limits of no harm, in mAP50: of the mean paired difference, and of the lower end of its 95 %
t-interval."""


@dataclass(frozen=True, slots=True)
class NoHarm:
    """Both limits of no harm, held against a mean paired difference.

    Args:
        mean_holds: Whether the mean is not below `LEAST_MEAN`; None of no seed.
        low_holds: Whether the lower end is not below `LEAST_LOW`; None below two seeds.
    """

    mean_holds: bool | None
    low_holds: bool | None

    @property
    def holds(self) -> bool | None:
        """Whether both hold; None where neither fails and one is not known."""
        known = (self.mean_holds, self.low_holds)
        return False if False in known else None if None in known else True


def no_harm(found: Effect) -> NoHarm:
    """Hold a mean paired difference against the limits of no harm."""
    return NoHarm(_not_below(found.mean, LEAST_MEAN), _not_below(found.low, LEAST_LOW))


def _not_below(value: float, limit: float) -> bool | None:
    return value >= limit if math.isfinite(value) else None


def harm_in_words(arm: str, baseline: str, name: str, found: Effect) -> str:
    """Return in a sentence whether an arm does no harm on a set.

    Args:
        arm: Label of the arm.
        baseline: Label of what it is compared with.
        name: Name of the set.
        found: The mean paired difference.
    """
    told = no_harm(found)
    word = {True: "No harm", False: "Harm is not ruled out", None: "No harm: not known yet"}
    return (
        f"{word[told.holds]}: {arm} against {baseline} on {name}, {plural(found.n, 'seed')}: "
        f"mean {_held(found.mean, LEAST_MEAN, told.mean_holds)}; lower end of the interval "
        f"{_held(found.low, LEAST_LOW, told.low_holds)}."
    )


def _held(value: float, limit: float, holds: bool | None) -> str:
    if holds is None:
        return f"not known, limit {signed(limit)}"
    shown = f"{value:+.4f}"  # a digit more than the limit, which it may be close to
    return f"{shown} is {'not ' if holds else ''}below {signed(limit)}"
