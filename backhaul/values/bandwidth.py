"""The bandwidth: how much of a batch may be sent."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backhaul.values.artifacts import Artifact


class Bandwidth(BaseModel):
    """What one batch may send home: a number of images, a number of bytes, or both at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int | None = Field(None, ge=0, description="most images a batch; null = no limit")
    bytes: int | None = Field(None, ge=0, description="most bytes a batch; null = no limit")

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if not self.is_limited:
            raise ValueError("expected images, bytes, or both")
        return self

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.images is not None or self.bytes is not None


ALL_NODES = ""
"""Name of the node where nodes are not told apart."""


class NodeBandwidths(BaseModel):
    """What each node may send of one batch, where a link or the node itself limits that.

    Args:
        limits: By node, or for all of them together by `ALL_NODES` alone.
        overhead_bytes: What an image costs beside the bytes of its file.
        nodes: Table of image_id and node; None = names and groups of the images say it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: dict[str, Bandwidth]
    overhead_bytes: int = 0
    nodes: Artifact | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes."""
        return tuple(self.limits)
