"""How stages name their data: a location and the digest of its content."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Artifact(BaseModel):
    """A stored object. Equal digests mean equal content, so it is a safe cache key.

    Args:
        uri: Where the object lies.
        sha256: Digest of its bytes; of a checkpoint, of its tensors and architecture, since the
            file itself holds a date.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    sha256: str
