"""Where home is, as a node's settings say it."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from backhaul.settings import Part
from backhaul.uplink.home import checked_name

_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class S3Uplink(Part):
    """Home is a bucket, or what lies below a prefix in it.

    Keys are never written here: the settings say where they are.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # it may be a key, by mistake

    kind: Literal["s3"]
    bucket: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$", description="its name"
    )
    prefix: str = Field("", description="what all names in it begin with, such as edge/a")
    endpoint: str | None = Field(
        None, description="address of the service, http(s)://host:port; null = AWS"
    )
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="of the bucket")
    style: Literal["path", "virtual-host"] = Field(
        "path", description="whether the bucket is named in the path or in the host"
    )
    keys_file: str | None = Field(
        None,
        description="a file with lines AWS_ACCESS_KEY_ID=... and AWS_SECRET_ACCESS_KEY=..., "
        "which its owner alone may read (mode 600); null = environment variables",
    )
    key_id_variable: _Variable = Field(
        "AWS_ACCESS_KEY_ID", description="environment variable that has the key's id"
    )
    secret_variable: _Variable = Field(
        "AWS_SECRET_ACCESS_KEY", description="environment variable that has the secret"
    )
    token_variable: _Variable = Field(
        "AWS_SESSION_TOKEN",
        description="environment variable that has the token of a session, if there is one",
    )
    ca_file: str | None = Field(
        None,
        description="certificates to check the server's with, in PEM; null = the system's",
    )
    stall_s: float = Field(
        60.0, gt=0.0, description="seconds without a byte after which a connection is given up"
    )
    connect_s: float = Field(
        30.0, gt=0.0, description="seconds that a connection may take to come about"
    )

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("expected http(s)://host:port")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("expected http(s)://host:port, and the bucket in bucket")
        _ = parts.port  # out of range is a ValueError
        return value.rstrip("/")

    @field_validator("prefix")
    @classmethod
    def _check_prefix(cls, value: str) -> str:
        return checked_name(value.strip("/")) if value.strip("/") else ""


class FolderUplink(Part):
    """Home is a folder: a mounted share, or one that rsync or a person carries home."""

    kind: Literal["folder"]
    folder: str = Field(
        min_length=1,
        description="it must exist; of a mounted share name a folder in it, which is there "
        "only while it is mounted",
    )


UplinkSettings = Annotated[S3Uplink | FolderUplink, Field(discriminator="kind")]
