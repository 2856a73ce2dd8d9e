"""References to stored data: a location, a digest of the bytes, a digest of the content."""

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
    """A reference to a stored object.

    Its location is absolute. With `Roots` as pydantic's context, it is relative in JSON.

    Args:
        uri: Where the object is stored.
        sha256: Digest of its bytes, which is checked before anything is decoded.
        content: Digest of what it says, which enters cache keys: of a table's columns, or of a
            checkpoint's tensors and architecture. It does not depend on a file's date, or on
            the version of the library that wrote it. Empty = that of its bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    sha256: str
    content: str = ""

    @property
    def content_digest(self) -> str:
        """The digest of the content."""
        return self.content or self.sha256

    @field_validator("uri")
    @classmethod
    def _make_absolute(cls, uri: str, info: ValidationInfo) -> str:
        return info.context.absolute(uri) if isinstance(info.context, Roots) else uri

    @field_serializer("uri")
    def _make_relative(self, uri: str, info: SerializationInfo) -> str:
        return info.context.relative(uri) if isinstance(info.context, Roots) else uri

    def key_form(self) -> Any:
        """Return the part that enters cache keys; the location does not."""
        return {"content": self.content_digest}
