"""What an exported model file says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from backhaul.errors import InputError
from backhaul.untrusted import one_line

Precision: TypeAlias = Literal["fp32", "int8"]
"""Of weights and activations of convolutions; all else is of single precision."""

INPUT = "image"
"""The image, letterboxed: RGB, uint8, shape (size, size, 3)."""
BOXES = "boxes"
"""Centre, width and height of n boxes of each checkpoint in pixels of the input, shape
(checkpoints, 4, n)."""
SCORES = "scores"
"""Score of each class of these boxes in [0, 1], shape (checkpoints, classes, n)."""
FEATURES = "features"
"""Means over the coarsest map of features that the head of the last checkpoint gets, shape
(d,)."""

FORMAT = 1
KEY = "backhaul"
"""The key of a model's metadata that holds a `ModelInfo` as JSON."""


class ModelInfo(BaseModel):
    """What an exported model file says of itself.

    Args:
        format: Version of its inputs, outputs and metadata: `FORMAT`.
        class_names: Names of the classes, in the order of their ids.
        img_size: Side of its square input, pixels.
        epochs: Epochs of the checkpoints in it, ascending; its outputs are in this order.
        precision: Precision of its convolutions.
    """

    model_config = ConfigDict(frozen=True)

    format: PositiveInt = FORMAT
    class_names: tuple[str, ...]
    img_size: PositiveInt
    epochs: tuple[int, ...]
    precision: Precision

    def metadata(self) -> dict[str, str]:
        """Return it as the metadata of a file."""
        return {KEY: self.model_dump_json()}


def info_of(metadata: Mapping[str, str], where: object) -> ModelInfo:
    """Return what a file says of itself.

    Args:
        metadata: Its metadata.
        where: The file, for errors.

    Raises:
        InputError: If it does not, or a newer version of Backhaul wrote it.
    """
    if KEY not in metadata:
        raise InputError(f"{where}: expected a model that `backhaul export-model` wrote")
    try:
        info = ModelInfo.model_validate_json(metadata[KEY])
    except ValidationError as error:
        first = error.errors()[0]
        key = one_line(".".join(str(part) for part in first["loc"]))
        raise InputError(f"{where}: its metadata: {key}: {one_line(first['msg'])}") from None
    if info.format > FORMAT:
        raise InputError(
            f"{where}: has format {info.format}, and this version knows {FORMAT}: "
            "a newer Backhaul wrote it"
        )
    return info
