"""How stages name their data: a location and the digest of its content."""

from __future__ import annotations

from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from backhaul.values.roots import Roots


class Artifact(BaseModel):
    """A stored object. Equal digests mean equal content, so it is a safe cache key.

    Its place is absolute. With `Roots` as pydantic's context, it is relative in JSON.

    Args:
        uri: Where the object lies.
        sha256: Digest of its bytes; of a checkpoint, of its tensors and architecture, since the
            file itself holds a date.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    sha256: str

    @field_validator("uri")
    @classmethod
    def _make_absolute(cls, uri: str, info: ValidationInfo) -> str:
        return info.context.absolute(uri) if isinstance(info.context, Roots) else uri

    @field_serializer("uri")
    def _make_relative(self, uri: str, info: SerializationInfo) -> str:
        return info.context.relative(uri) if isinstance(info.context, Roots) else uri

    def key_form(self) -> Any:
        """Return what of it enters cache keys: where it lies must not matter."""
        return {"sha256": self.sha256}
