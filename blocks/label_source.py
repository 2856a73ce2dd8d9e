"""Where annotators put their labels, as an operator fills it in."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field


class LabelSource(Block):
    """Where labels of the images lie that nodes dropped. A config names it in its ``data``.

    The labels of ``NODE/NAME.jpg`` are ``NODE/NAME.txt``, in Darknet lines.
    """

    _block_type_name = "Label source"
    _block_type_slug = "label-source"
    _description = "Where annotators put the labels of images that nodes dropped."

    address: str = Field(
        description="a folder, s3://bucket/prefix, or block://NAME/path of an object store "
        "with keys of its own"
    )
