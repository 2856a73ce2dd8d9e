"""How large files from outside may be; what is over a limit is left out, with its reason."""

from __future__ import annotations

from pydantic import Field

from backhaul.settings import Part, PositiveInt

PILLOW_PIXELS = 178_956_970
"""An image with more is refused by Pillow, with which Ultralytics looks at images as well."""


class ImageLimits(Part):
    """How large an image file may be; one that is larger is left out, with its reason."""

    image_bytes: PositiveInt = Field(
        100 * 2**20, description="bytes of an image file; one with more is not read"
    )
    image_pixels: int = Field(
        100_000_000,
        ge=1,
        le=PILLOW_PIXELS,
        description="pixels that an image file declares; one with more is not decoded",
    )


class InboxLimits(ImageLimits):
    """How much nodes may drop; what is over a limit is set aside, with its reason."""

    images_per_hour: PositiveInt = Field(
        50_000,
        description="image files looked at in one hour; nodes take turns, and what is more "
        "waits for the next hour",
    )
    sidecar_bytes: PositiveInt = Field(
        4 * 2**20, description="bytes of a file of detections; one with more is not read"
    )
    batch_bytes: PositiveInt = Field(
        16 * 2**20, description="bytes of a batch of sidecars, unpacked"
    )
    sidecar_waits: int = Field(
        2,
        ge=0,
        description="ingestions in which a picture waits for the sidecar of its node's agent; "
        "then it is taken in without",
    )
    detections: PositiveInt = Field(3_000, description="detections of a node in one image")
    features: PositiveInt = Field(16_384, description="features of one image by a node")
    votes: PositiveInt = Field(1_000, description="checkpoints of a node that saw one object")


NO_LIMITS = ImageLimits(image_bytes=2**40, image_pixels=PILLOW_PIXELS)
"""For images that were taken in by the limits of their time."""
