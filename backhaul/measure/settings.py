"""How detections are matched and counted, and what gain is wished for."""

from __future__ import annotations

from pydantic import Field

from backhaul.settings import Fraction, Part, Probability


class Evaluation(Part):
    """How detections are matched and counted."""

    iou_thres: Probability = Field(
        0.5, description="IoU from which a detection matches a truth"
    )
    pos_thres: Probability = Field(0.5, description="confidence from which a detection counts")
    conf_floor: Probability = Field(0.001, description="least confidence that enters mAP")


class Futility(Part):
    """When a wished gain over chance is no longer to be expected."""

    gain: float = Field(
        0.02, gt=0, description="wished mean gain in mAP50 of a round over the baseline"
    )
    alpha: Fraction = Field(
        0.05, description="probability that a gain which is there is ever called out of reach"
    )
    baseline: str = Field(
        "true-random", description="label of the method that gains are measured against"
    )
    spread: float | None = Field(
        None,
        gt=0,
        description="bound on the standard deviation of a round's gain; null = estimated from "
        "the rounds, at least 0.02",
    )
