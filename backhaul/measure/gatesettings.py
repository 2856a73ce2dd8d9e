"""When the model of a round is accepted: always, or by the rules of a gate."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from backhaul.settings import Part, PositiveInt, Probability

GateMetric: TypeAlias = Literal["mAP50", "mAP50-95", "F1"]
"""What models are compared by: F1 counts detections from ``evaluation.pos_thres`` on, of all
classes together."""


class Always(Part):
    """Every round's model is what the next one starts from."""

    kind: Literal["always"] = "always"


class ExportLimits(Part):
    """What the exported model may lose, weigh and take; of rounds that export one."""

    max_drop: Probability = Field(
        0.02, description="most that mAP50 on the validation images may fall by the export"
    )
    max_bytes: PositiveInt | None = Field(
        None, description="most bytes of the exported model; null = any"
    )
    max_latency_ms: float | None = Field(
        None,
        gt=0,
        description="most milliseconds on one core that 95 % of its looks take; null = any",
    )


class Comparing(Part):
    """How two models are compared on the same images."""

    metric: GateMetric = Field("mAP50", description="what they are compared by")
    alpha: float = Field(
        0.025,
        gt=0,
        lt=0.5,
        description="probability that the gain is not above its lower bound: that a model is "
        "let through whose gain is min_gain or less",
    )
    resamples: int = Field(
        2000, ge=200, le=100_000, description="resamples of the images for the bound"
    )


class Floor(Part):
    """What one class has to reach."""

    name: str = Field(description="name of the class")
    ap50: Probability = Field(description="its least AP50")


class Gate(Part):
    """A round's model has to be better than the one before, and keep to all other rules."""

    kind: Literal["gate"] = "gate"
    compare: Comparing = Comparing()
    min_gain: float = Field(
        0.0,
        gt=-1,
        lt=1,
        description="the lower bound of the gain has to be above this; below 0 it is a margin: "
        "a model may be worse by so much",
    )
    floors: tuple[Floor, ...] = Field(
        (), description="least AP50 of single classes on the common set"
    )
    class_drop: Probability | None = Field(
        None, description="most that the AP50 of any class may fall by; null = any"
    )
    forgetting: Probability | None = Field(
        0.1,
        description="most that mAP50 on the old test set may be below the best champion's; "
        "null = any",
    )
    fresh_images: int = Field(
        500,
        ge=0,
        description="most labelled frames drawn by chance that join the common set, the newest "
        "rounds first; 0 = none",
    )
    export: ExportLimits = ExportLimits()
    approval: Literal["none", "manual"] = Field(
        "none",
        description="manual = a person accepts or rejects a model that has kept to all rules",
    )


Accept: TypeAlias = Annotated[Always | Gate, Field(discriminator="kind")]
