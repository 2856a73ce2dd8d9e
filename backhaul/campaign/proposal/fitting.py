"""The image size and the epochs that fit into the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from backhaul.campaign.proposal.effort import AIM, ENOUGH_STEPS, Effort, Workload
from backhaul.campaign.proposal.imagesize import (
    LEAST_OBJECT_PX,
    LEAST_PX,
    STRIDE,
    image_size,
)
from backhaul.learn.training.speed import Speed

Measure: TypeAlias = Callable[[int], Speed]
"""Says how fast this machine trains with images of that side in pixels."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Image size and trainings.

    Args:
        wanted_px: The side that the objects ask for.
        side_px: The side that was chosen.
        speed: How fast trainings are with it.
        effort: The trainings.
        needed_s: How long a campaign with `wanted_px` and `ENOUGH_STEPS` would take.
    """

    wanted_px: int
    side_px: int
    speed: Speed
    effort: Effort
    needed_s: float


def fit(side: float, work: Workload, limit_s: float, measure: Measure) -> Fitted:
    """Return the image size and the trainings that the time allows.

    Where it does not allow `ENOUGH_STEPS` with the side that the objects ask for, a smaller one
    is taken, as long as the objects keep `LEAST_OBJECT_PX`.

    Args:
        side: Of the objects, as a fraction of the longer side of their image.
        work: What the campaign works through.
        limit_s: How long it may take; the forecast stays below a part of that.
        measure: Says how fast trainings are.
    """
    wanted_px, aim_s = image_size(side), AIM * limit_s
    least_px = min(image_size(side, LEAST_OBJECT_PX), wanted_px)
    measured = measure(wanted_px)
    if measured.on_gpu:  # trainings side by side share it, and each is slower by their number
        work = replace(work, parallel=1)
    side_px = wanted_px
    while (
        side_px > max(least_px, LEAST_PX)
        and _enough_s(work, measured, wanted_px, side_px) > aim_s
    ):
        side_px -= STRIDE
    speed = measured if side_px == wanted_px else measure(side_px)
    return Fitted(
        wanted_px=wanted_px,
        side_px=side_px,
        speed=speed,
        effort=work.within(aim_s, speed.seconds_per_image),
        needed_s=work.effort(ENOUGH_STEPS, measured.seconds_per_image).seconds,
    )


def _enough_s(work: Workload, measured: Speed, measured_px: int, side_px: int) -> float:
    """Return how long `ENOUGH_STEPS` take at a side; time goes with the area."""
    seconds_per_image = measured.seconds_per_image * (side_px / measured_px) ** 2
    return work.effort(ENOUGH_STEPS, seconds_per_image).seconds
