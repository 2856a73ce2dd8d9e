"""The bandwidth: how much of a batch may be sent."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Bandwidth(BaseModel):
    """What one batch may send home: a number of images, a number of bytes, or both at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int | None = Field(None, ge=0, description="most images a batch; null = no limit")
    bytes: int | None = Field(None, ge=0, description="most bytes a batch; null = no limit")

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.images is None and self.bytes is None:
            raise ValueError("expected images, bytes, or both")
        return self
