"""A Label Studio in which annotators work, as an operator fills it in."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr


class LabelStudio(Block):
    """A Label Studio, and the token that opens it. A config names it in ``data.annotation``.

    Its address must be one that the workers reach.
    """

    _block_type_name = "Label Studio"
    _block_type_slug = "label-studio"
    _description = "A Label Studio in which annotators label images that wait."

    address: str = Field(
        description="where it is, http(s)://host:port",
        pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
    )
    token: SecretStr = Field(
        description="access token of a person who may make projects: a personal or a legacy one"
    )
