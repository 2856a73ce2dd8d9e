"""A fleet of simulated nodes: FLEET.yaml."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from backhaul.link.hours import minutes_of
from backhaul.link.settings import Link
from backhaul.node.policies import AnyPolicy, StreamPolicy
from backhaul.node.settings import ANY_RATE, MEGABYTE, Looking
from backhaul.settings import Part, PositiveInt, Probability


class Radio(Part):
    """What the link of each node can really carry, whatever may be sent over it."""

    kbit_s: float = Field(64.0, gt=0, description="usual rate, 1000 bit/s")
    swing: float = Field(
        2.0,
        ge=1,
        description="every ten minutes the rate is drawn, usual / swing to usual * swing",
    )
    down: tuple[str, ...] = Field(
        (), description='times of the day without it, as "02:00-03:00"'
    )
    reset: Probability = Field(0.0, description="part of the transfers that break off")
    lost_answer: Probability = Field(
        0.0, description="part of those that arrive, and whose answer is lost"
    )

    @field_validator("down")
    @classmethod
    def _check_down(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            minutes_of(each)
        return value


class FleetConfig(Part):
    """Nodes that replay frames in virtual time, once with each policy."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="name of the simulation"
    )
    frames: str = Field(
        min_length=1,
        description="folder of images; nodes go through them by name, each from another place, "
        "again and again",
    )
    model: str = Field(min_length=1, description="file that `backhaul export-model` wrote")
    look: Looking = Field(Looking(), description="how its outputs become objects")
    nodes: PositiveInt = Field(10, le=1_000, description="nodes")
    every_s: float = Field(10.0, gt=0, description="seconds between two frames of a node")
    hours: float = Field(24.0, gt=0, le=24 * 366, description="hours that are played")
    policies: tuple[AnyPolicy, ...] = Field(
        (StreamPolicy(name="stream"),),
        min_length=1,
        max_length=8,
        description="each is played by itself, on the same frames and links",
    )
    link: Link = Field(ANY_RATE, description="what may be sent when, as in campaigns")
    radio: Radio = Field(Radio(), description="what the links carry")
    kills_a_day: float = Field(0.0, ge=0, description="times a day that each node is killed")
    most_bytes: int = Field(
        200 * MEGABYTE, ge=MEGABYTE, description="most bytes of frames that wait on a node"
    )
    value: StreamPolicy = Field(
        StreamPolicy(name="value", diversity="none"),
        description="what a frame is worth when policies are compared: its utility, as a rank "
        "among all images",
    )
    seed: int = Field(0, ge=0, description="seed of links, faults and what is drawn")

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [policy.name for policy in self.policies]
        if len(set(names)) != len(names):
            raise ValueError(f"policies: expected different names, got {', '.join(names)}")
        return self
