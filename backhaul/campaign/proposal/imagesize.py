"""The side of the detector's input, from the sizes of the objects."""

from __future__ import annotations

from math import ceil

from backhaul.campaign.proposal.facts import ClassFacts, Facts

STRIDE = 32
LEAST_PX, MOST_PX = 96, 640
OBJECT_PX = 8.0
"""Side that a typical small object should have: one cell of a detector's finest grid."""
LEAST_OBJECT_PX = 5.0
"""Below this, a detector from nothing finds hardly any."""
COUNTED = 10
"""Objects from which on a class has a typical one."""


def smallest_class(facts: Facts) -> ClassFacts | None:
    """Return the class whose median object is the smallest; None without any object.

    A class with fewer than `COUNTED` objects counts only where no class has as many.
    """
    some = [each for each in facts.classes if each.side]
    many = [each for each in some if each.n_objects >= COUNTED]
    return min(many or some, key=lambda each: each.side or 0.0, default=None)


def image_size(side: float, object_px: float = OBJECT_PX) -> int:
    """Return the smallest side of the input at which an object has `object_px` pixels.

    Args:
        side: Of the object, as a fraction of the longer side of its image, > 0.
        object_px: Wanted side of the object, pixels.

    Returns:
        A multiple of `STRIDE` from `LEAST_PX` to `MOST_PX`.
    """
    wanted = ceil(min(object_px / side, MOST_PX) / STRIDE) * STRIDE
    return min(max(wanted, LEAST_PX), MOST_PX)
