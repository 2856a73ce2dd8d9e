"""When what has arrived is played: conditions of a run, combined by all and any."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from typing_extensions import TypeAliasType  # named, so that a schema can refer to itself

from backhaul.link.hours import minutes_of
from backhaul.settings import Part, PositiveInt

UTC_NAME = "UTC"
Operator: TypeAlias = Literal["gt", "ge", "lt", "le", "eq"]
MetricName: TypeAlias = Literal["prec", "recall", "acc", "F1", "mAP50", "mAP50-95"]

SIGNS = {">": "gt", ">=": "ge", "<": "lt", "<=": "le", "=": "eq", "==": "eq"}
"""Operators as signs, with the words that they are kept as."""
METRIC_WORDS = {"precision": "prec", "accuracy": "acc", "f1": "F1", "map50": "mAP50"}
"""Other words for metrics, with the names that they have in all tables."""
OF_EXPLORED = ("prec", "recall", "F1")
"""Metrics that frames which chance drew are weighted in."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _not_empty(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:  # min_length would also complain where all that is given is wrong
        raise ValueError("expected at least one")
    return value


def _as_operator(value: Any) -> Any:
    return SIGNS.get(value, value) if isinstance(value, str) else value


def _as_metric(value: Any) -> Any:
    return METRIC_WORDS.get(value.lower(), value) if isinstance(value, str) else value


NOT_EMPTY = AfterValidator(_not_empty)


class WindowCondition(Part):
    """It is one of these times of the day."""

    kind: Literal["window"] = "window"
    hours: Annotated[tuple[str, ...], BeforeValidator(_as_tuple), NOT_EMPTY] = Field(
        description='times of the day, as "22:00-06:00"; one that ends before it begins goes '
        "over midnight",
    )
    timezone: str = Field(
        UTC_NAME, max_length=100, description="whose clock that is, as Europe/Berlin"
    )

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for hours in value:
            minutes_of(hours)
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        try:
            if value != UTC_NAME:  # which needs no table of time zones
                ZoneInfo(value)
        except (KeyError, OSError, ValueError):  # as a key, a file or a path
            raise ValueError("expected a time zone such as UTC or Europe/Berlin") from None
        return value


class LabelledCondition(Part):
    """So many images of full batches that were not played yet have labels."""

    kind: Literal["labelled"] = "labelled"
    images: PositiveInt = Field(description="least labelled images")


class BytesCondition(Part):
    """So many bytes of images have arrived that were not played yet."""

    kind: Literal["bytes"] = "bytes"
    bytes: PositiveInt = Field(description="least bytes of image files")


class DriftCondition(Part):
    """What some node sees has moved since its first windows with its model."""

    kind: Literal["drift"] = "drift"
    what: Literal["confidences", "classes", "either"] = Field(
        "either", description="what of the objects seen; either = whichever moved further"
    )
    above: float = Field(
        0.25,
        gt=0.0,
        allow_inf_nan=False,
        description="population stability index beyond what chance alone makes; .1 is little, "
        ".25 much",
    )


class MetricCondition(Part):
    """What nodes saw in frames that were labelled since, measured, compares so with a value."""

    kind: Literal["metric"] = "metric"
    of: Literal["labelled", "explored"] = Field(
        description="labelled = all labelled frames not played yet; explored = those of them "
        "that chance drew, weighted so that they stand for all frames captured"
    )
    name: Annotated[MetricName, BeforeValidator(_as_metric)] = Field(
        description="the metric; explored: prec, recall or F1"
    )
    op: Annotated[Operator, BeforeValidator(_as_operator)] = Field(
        description="gt >, ge >=, lt <, le <= or eq =, as a word or a sign"
    )
    value: float | None = Field(
        None, allow_inf_nan=False, description="what the metric is compared with"
    )
    change: float | None = Field(
        None,
        allow_inf_nan=False,
        description="what metric - figure of the champion is compared with, in place of "
        "`value`; that figure is of the common test set when it was made",
    )
    least_images: PositiveInt = Field(
        20, description="images that it is measured on at least; unknown on fewer"
    )

    @model_validator(mode="after")
    def _check_compared(self) -> Self:
        if (self.value is None) == (self.change is None):
            raise ValueError("expected either value or change")
        return self

    @model_validator(mode="after")
    def _check_explored(self) -> Self:
        if self.of == "explored" and self.name not in OF_EXPLORED:
            raise ValueError(f"of explored: expected {', '.join(OF_EXPLORED)} as name")
        return self


class HandCondition(Part):
    """Somebody fires it: `backhaul triggers fire`. Whatever the others say, that fires."""

    kind: Literal["hand"] = "hand"


class AllCondition(Part):
    """All of these hold."""

    kind: Literal["all"] = "all"
    conditions: Annotated[tuple[Trigger, ...], NOT_EMPTY] = Field(description="the conditions")


class AnyCondition(Part):
    """Any of these holds."""

    kind: Literal["any"] = "any"
    conditions: Annotated[tuple[Trigger, ...], NOT_EMPTY] = Field(description="the conditions")


def as_condition(value: Any) -> Any:
    """Return a condition as a mapping with ``kind``, from its short forms too.

    Example:
        >>> as_condition({"any": ["hand"]})
        {'kind': 'any', 'conditions': ['hand']}
        >>> as_condition("hand")
        {'kind': 'hand'}
    """
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, dict) and len(value) == 1 and (kind := next(iter(value))) in GROUPS:
        return {"kind": kind, "conditions": value[kind]}
    return value


GROUPS = ("all", "any")
Condition: TypeAlias = (
    WindowCondition
    | LabelledCondition
    | BytesCondition
    | DriftCondition
    | MetricCondition
    | HandCondition
)
Trigger = TypeAliasType(
    "Trigger",
    Annotated[
        Condition | AllCondition | AnyCondition,
        Field(discriminator="kind", title="Trigger"),
        BeforeValidator(as_condition),
    ],
)
"""A tree of conditions as configs name it: ``all: [...]``, ``any: [...]``, or one condition."""

AllCondition.model_rebuild()
AnyCondition.model_rebuild()


def described(trigger: Trigger) -> str:
    """Return the kinds of a tree of conditions in words.

    Example:
        >>> hand = HandCondition()
        >>> described(AllCondition(conditions=(hand, AnyCondition(conditions=(hand, hand)))))
        'all of (hand, any of (hand, hand))'
    """
    if not isinstance(trigger, AllCondition | AnyCondition):
        return trigger.kind
    return f"{trigger.kind} of ({', '.join(map(described, trigger.conditions))})"
