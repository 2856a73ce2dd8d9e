"""Policies: by what rules a node chooses. They are data, so that they can be published."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from backhaul.data.recipes import SendOriginal, SendReencoded
from backhaul.sampling import Method, as_mapping
from backhaul.sampling.diversity.duplicates import NEAR
from backhaul.sampling.utilities import UTILITIES, Aggregate, UtilityName
from backhaul.settings import Part, PositiveInt, Probability
from backhaul.values.detections import NO_NEEDS, Need, VectorNeed

CAN_SEE: frozenset[Need] = frozenset({"scores", "features", "descriptors", "disagreement"})
"""What methods may need that a node has: the other needs take labels or other images."""


class Policy(Part):
    """What all policies have in common."""

    name: str = Field(
        "policy",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="name of the policy in summaries, and of its arm at home",
    )
    explore: Probability = Field(
        0.1, description="share of what may be sent that chance draws, whatever it shows"
    )
    sending: Annotated[SendOriginal | SendReencoded, Field(discriminator="kind")] = Field(
        SendOriginal(), description="in what form frames are sent"
    )
    suppress: bool = Field(
        True, description="whether frames that look like recent ones are passed over"
    )
    near: float = Field(
        NEAR, ge=0, description="distance of descriptors up to which frames look alike"
    )

    @property
    def needs(self) -> frozenset[Need]:
        """What the model must give beside detections."""
        return NO_NEEDS


class StreamPolicy(Policy):
    """Frames are chosen as they come: at any time, the best that waits is sent."""

    kind: Literal["stream"] = "stream"
    utility: UtilityName = Field("confidence-entropy", description="what an object is worth")
    aggregate: Aggregate = Field("top", description="from objects to frame")
    top: PositiveInt = Field(3, description="objects that count, if aggregate is top")
    gamma: Probability = Field(
        1.0, description="values are divided by bytes^gamma; 1 = value for each byte"
    )
    diversity: Literal["coverage", "none"] = Field(
        "coverage",
        description="coverage = a frame is worth what it adds to those sent; none = its value",
    )
    space: VectorNeed = Field(
        "descriptors", description="what tells frames apart, for coverage"
    )

    @field_validator("utility")
    @classmethod
    def _check_utility(cls, value: UtilityName) -> UtilityName:
        if missing := UTILITIES[value].needs - CAN_SEE:
            raise ValueError(f"{value} needs {', '.join(sorted(missing))}: no node has that")
        return value

    @property
    def needs(self) -> frozenset[Need]:
        """What the utility needs, and the vectors of `space`."""
        return UTILITIES[self.utility].needs | {self.space}


class WindowPolicy(Policy):
    """Frames are kept until the window ends; then a sampling method chooses among all."""

    kind: Literal["window"] = "window"
    method: Method = Field(description="sampling method, as in campaigns")

    _OF_HOME: ClassVar[frozenset[str]] = frozenset({"listed", "user", "arrived", "no-new-data"})

    @field_validator("method", mode="before")
    @classmethod
    def _refuse_code(cls, value: Any) -> Any:
        """Refuse a user's code before it is looked for: a policy is data, whoever wrote it."""
        given = as_mapping(value)
        kind = given.get("kind") if isinstance(given, dict) else getattr(given, "kind", None)
        if kind in cls._OF_HOME:
            raise ValueError(f"{kind} is nothing that a node can run")
        return value

    @model_validator(mode="after")
    def _check_method(self) -> Self:
        if missing := self.method.needs - CAN_SEE:
            needs = ", ".join(sorted(missing))
            raise ValueError(f"method: {self.method.label} needs {needs}: no node has that")
        return self

    @property
    def needs(self) -> frozenset[Need]:
        """What the method needs."""
        return self.method.needs


class AskedPolicy(Policy):
    """Only what was seen is sent, with a vector of each frame; home asks for the frames."""

    kind: Literal["asked"] = "asked"
    space: VectorNeed = Field("features", description="vectors that are sent")

    @property
    def needs(self) -> frozenset[Need]:
        """The vectors that are sent."""
        return frozenset({self.space})


AnyPolicy: TypeAlias = Annotated[
    StreamPolicy | WindowPolicy | AskedPolicy, Field(discriminator="kind")
]
