"""What a link can carry and what may be sent over it, as an operator says it."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from backhaul.link.hours import minutes_of, up_minutes
from backhaul.settings import Part, PositiveInt
from backhaul.values.bandwidth import Bandwidth

Period: TypeAlias = Literal["hour", "day", "month", "window"]


class Allowance(Part):
    """At most so many images, or bytes on the wire, an hour, a day, a month or a window."""

    period: Period = Field(
        description="hour, day and month are those of the clock; window = the time of one batch"
    )
    month_begins: int = Field(
        1, ge=1, le=28, description="day on which a month begins, as on a SIM card's bill"
    )
    images: PositiveInt | None = Field(None, description="most images begun; null = no limit")
    bytes: PositiveInt | None = Field(
        None, description="most bytes on the wire; null = no limit"
    )
    carry_over: float = Field(
        0.0,
        ge=0.0,
        le=1_000.0,
        description="how many periods' worth of what was not used is kept for later ones",
    )

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.images is None and self.bytes is None:
            raise ValueError("expected images, bytes, or both")
        return self


class Link(Part):
    """Rate, hours and allowances of the link between a node and home."""

    uplink_kbit_s: float | None = Field(
        None, ge=0.01, description="rate from the node to home, 1000 bit/s; null = no limit"
    )
    downlink_kbit_s: float | None = Field(
        None, ge=0.01, description="rate from home to the node; null = that of the uplink"
    )
    latency_s: float = Field(0.0, ge=0.0, le=3_600.0, description="delay one way, seconds")
    loss: float = Field(
        0.0, ge=0.0, le=0.9, description="fraction of packets that are lost, and sent again"
    )
    packet_bytes: PositiveInt = Field(1_400, description="bytes of a packet")
    overhead_bytes: int = Field(
        0, ge=0, description="bytes that each file costs beside its own, as headers and TLS do"
    )
    window_s: PositiveInt = Field(3_600, description="time of one batch, seconds")
    begins_hour: int = Field(
        0, ge=0, le=23, description="hour of the day at which the first batch's time begins"
    )
    hours: tuple[str, ...] = Field(
        (), description='times of the day when it is up, as "22:00-06:00"; empty = always'
    )
    minutes_an_hour: int = Field(
        60, ge=1, le=60, description="it is up in the first so many minutes of each hour"
    )
    allowances: tuple[Allowance, ...] = Field(
        (), description="what may be sent in a period; all hold at once"
    )
    model_bytes: PositiveInt | None = Field(
        None, description="bytes of a new model on its way down; null = its checkpoint's"
    )
    model_counts: bool = Field(
        False, description="whether the model's bytes count in the allowances, as of a SIM card"
    )

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            minutes_of(each)
        return value

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.uplink_kbit_s is None and not self.allowances:
            raise ValueError("expected uplink_kbit_s, allowances, or both")
        if not any(up_minutes(self.hours, self.minutes_an_hour)):
            raise ValueError("hours and minutes_an_hour have no minute in common")
        if self.latency_s >= self.window_s:
            raise ValueError(
                "latency_s: expected less than window_s, or nothing arrives within a window"
            )
        return self

    @property
    def up_bytes_s(self) -> float:
        """Rate from the node to home in bytes per second, infinite for no limit."""
        return float("inf") if self.uplink_kbit_s is None else self.uplink_kbit_s * 125

    @property
    def down_bytes_s(self) -> float:
        """Rate from home to the node in bytes per second, infinite for no limit."""
        return self.up_bytes_s if self.downlink_kbit_s is None else self.downlink_kbit_s * 125


class LinkedBandwidth(Bandwidth):
    """What one batch may send home: images, bytes, and what a link carries; all limits hold."""

    per_node: bool = Field(
        False, description="whether each node of a batch has these limits for itself"
    )
    link: Link | None = Field(
        None, description="the link that what is sent goes over; null = no other limit"
    )

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if not self.is_limited:
            raise ValueError("expected images, bytes, link, or several")
        return self

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.link is not None or super().is_limited

    @property
    def overhead_bytes(self) -> int:
        """What sending an image costs beside the bytes of its file."""
        return 0 if self.link is None else self.link.overhead_bytes
