"""In what form images are sent: as they are, encoded again, or only around what was seen."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from backhaul.settings import Part, PositiveInt, Probability

Format: TypeAlias = Literal["jpeg", "webp"]
Quality: TypeAlias = Annotated[int, Field(ge=1, le=100)]


class SendOriginal(Part):
    """Images are sent as their files are."""

    kind: Literal["original"] = "original"


class SendReencoded(Part):
    """Images are encoded again; one that takes no fewer bytes then is sent as it is."""

    kind: Literal["reencoded"] = "reencoded"
    format: Format = Field("jpeg", description="format of the files that are sent")
    quality: Quality = Field(50, description="quality of the encoder")
    longest_side_px: PositiveInt | None = Field(
        None, description="larger images are made this small, pixels; null = none is"
    )


class SendCrops(Part):
    """Only what lies around detected objects is sent; an image without any goes whole."""

    kind: Literal["crops"] = "crops"
    format: Format = Field("jpeg", description="format of the files that are sent")
    quality: Quality = Field(75, description="quality of the encoder")
    conf_thres: Probability = Field(0.1, description="least confidence of an object")
    context: float = Field(
        0.5, ge=0, description="border on each side, as a fraction of the object's side"
    )
    min_px: PositiveInt = Field(32, description="least side of a crop, pixels")
    min_visibility: Probability = Field(
        0.5, description="least fraction of a true box inside a crop for it to be labelled"
    )


Prepared: TypeAlias = SendReencoded | SendCrops
"""Recipes by which files are made anew."""

Sending: TypeAlias = Annotated[
    SendOriginal | SendReencoded | SendCrops, Field(discriminator="kind")
]
