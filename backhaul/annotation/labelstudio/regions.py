"""What people drew in an annotation: boxes, and outlines, of which the box around counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.annotation.labelstudio.boxes import KIND, Rectangle
from backhaul.annotation.labelstudio.interface import IMAGE
from backhaul.untrusted import one_line

POLYGON = "polygonlabels"
NO_OBJECTS = (
    "choices",
    "datetime",
    "number",
    "pairwise",
    "ranker",
    "rating",
    "relation",
    "taxonomy",
    "textarea",
)
"""Kinds of what people say of an image, or of an object that is drawn beside it."""
_MOST_POINTS = 100_000
_KIND_LENGTH = 40

Point = tuple[float, float]


class Polygon(BaseModel):
    """An outline as Label Studio has it, in percent of the image's sides."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    points: Annotated[list[Point], Field(min_length=3, max_length=_MOST_POINTS)]
    polygonlabels: list[str] = Field(default=[], max_length=10)
    closed: bool = True

    @property
    def around(self) -> Rectangle:
        """The box around it."""
        xs, ys = zip(*self.points, strict=True)
        x, y = min(xs), min(ys)
        return Rectangle(
            x=x,
            y=y,
            width=max(xs) - x,
            height=max(ys) - y,
            rectanglelabels=self.polygonlabels,
        )


def drawn_in(result: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the regions of an annotation that stand for objects."""
    return [region for region in result if region.get("type") not in NO_OBJECTS]


def box_of(region: Mapping[str, Any]) -> Rectangle:
    """Return the box of an object that was drawn, by whichever control of the interface.

    Args:
        region: What was drawn.

    Raises:
        ValueError: If its box is not known: it is of another kind, cannot be read, or lies in
            another picture or in one that was turned.
    """
    kind = region.get("type")
    if kind not in (KIND, POLYGON):
        shown = one_line(str(kind), _KIND_LENGTH)
        raise ValueError(f"an object was drawn as {shown}, expected a box or a polygon")
    if region.get("to_name", IMAGE) != IMAGE or region.get("image_rotation"):
        raise ValueError("an object was drawn in another picture, or in one that was turned")
    try:
        if kind == KIND:
            return Rectangle.model_validate(region.get("value"))
        polygon = Polygon.model_validate(region.get("value"))
        around = polygon.around
    except ValidationError as error:
        what = "box" if kind == KIND else "polygon"
        reason = one_line(error.errors()[0]["msg"])
        raise ValueError(f"a {what} cannot be read: {reason}") from None
    if not polygon.closed:
        raise ValueError("a polygon is not closed")
    return around
