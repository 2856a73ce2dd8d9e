"""What a study says of itself, in plain sentences."""

from __future__ import annotations

import math

from backhaul.report.wording import duration, plural, signed
from backhaul.study.settings import Budget
from backhaul.study.statistics import Effect

SIGNIFICANT = 0.05


def progress(done: int, total: int, remaining_s: float | None) -> str:
    """Return how far a study is.

    Example:
        >>> progress(12, 144, 3780.0), progress(0, 1, None)
        ('12 of 144 trainings, about 1 h 3 min left', '0 of 1 training')
    """
    left = "" if remaining_s is None else f", about {duration(remaining_s)} left"
    return f"{done} of {plural(total, 'training')}{left if done < total else ''}"


def interval(low: float, high: float) -> str:
    """Return an interval of differences.

    Example:
        >>> interval(0.0213, 0.08), interval(float("nan"), float("nan"))
        ('[+0.021, +0.080]', '[-, -]')
    """
    return f"[{signed(low)}, {signed(high)}]"


def verdict(arm: str, baseline: str, name: str, found: Effect) -> str:
    """Return what a comparison shows, or that it shows nothing.

    Args:
        arm: Label of the arm.
        baseline: Label of what it is compared with.
        name: Name of the set.
        found: The mean paired difference.
    """
    if found.n == 0:
        return f"Not known: no seed of {name} has {arm} and {baseline} whole."
    if not math.isfinite(found.low):
        seeds = (
            "one seed, which has no interval"
            if found.n == 1
            else f"each of {found.n} seeds, and equal differences have no interval"
        )
        return (
            f"Not shown: {arm} is {signed(found.mean)} against {baseline} on {name} with "
            f"{seeds}."
        )
    numbers = f"{signed(found.mean)} {interval(found.low, found.high)}, {found.n} seeds"
    if found.low > 0:
        return f"Shown: {arm} is better than {baseline} on {name}: {numbers}."
    if found.high < 0:
        return f"Shown: {arm} is worse than {baseline} on {name}: {numbers}."
    return (
        f"Not shown: that {arm} and {baseline} differ on {name}: {numbers}. With these seeds, "
        f"a true difference of {found.detectable:.3f} is found four times out of five."
    )


def more_images(n_images: float) -> str:
    """Return a number of images that a gain takes; NaN is more than was measured."""
    return (
        plural(math.ceil(n_images), "more image")
        if math.isfinite(n_images)
        else ("more than measured")
    )


def budget_in_words(budget: Budget) -> str:
    """Return a budget as people say it.

    Example:
        >>> budget_in_words(Budget(images=10)), budget_in_words(Budget(pool_bytes=0.05))
        ('10 images', '5 % of the bytes')
        >>> budget_in_words(Budget(images=1, bytes=2_500))
        '1 image and 2,500 bytes'
    """
    parts = []
    if budget.images is not None:
        parts.append(plural(budget.images, "image"))
    if budget.bytes is not None:
        parts.append(plural(budget.bytes, "byte"))
    if budget.pool_bytes is not None:
        parts.append(f"{100 * budget.pool_bytes:g} % of the bytes")
    return " and ".join(parts)
