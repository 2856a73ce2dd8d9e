"""The object store of a campaign, as an operator fills it in."""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from pydantic import Field, SecretStr


class ObjectStore(Block):
    """A bucket of an S3 service, with the keys that open it.

    A config names it ``block://NAME``, or ``block://NAME/path`` for a place in it. What it
    leaves empty is taken from the environment (``AWS_ACCESS_KEY_ID`` and so on).
    """

    _block_type_name = "Object store"
    _block_type_slug = "object-store"
    _description = "A bucket of an S3 service for objects, runs, data sets and inboxes."

    bucket: str = Field(description="name of the bucket, which must exist")
    prefix: str = Field("", description="what all names in it begin with, for example edge/a")
    endpoint_url: str | None = Field(
        None, description="address of the service, http(s)://host:port; empty = AWS"
    )
    region: str | None = Field(None, description="region of the bucket, if the service has any")
    access_key_id: SecretStr | None = Field(None, description="access key")
    secret_access_key: SecretStr | None = Field(None, description="secret key")

    @property
    def address(self) -> str:
        """Where it begins, as ``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def options(self) -> dict[str, Any]:
        """What s3fs must be told to open it."""
        given = {
            "key": self.access_key_id and self.access_key_id.get_secret_value(),
            "secret": self.secret_access_key and self.secret_access_key.get_secret_value(),
            "endpoint_url": self.endpoint_url,
        }
        options: dict[str, Any] = {name: value for name, value in given.items() if value}
        if self.region:
            options["client_kwargs"] = {"region_name": self.region}
        return options
