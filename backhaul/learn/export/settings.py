"""Settings of an export."""

from __future__ import annotations

from pydantic import Field

from backhaul.look.modelfile import Precision
from backhaul.settings import Part, PositiveInt, Probability


class Export(Part):
    """How checkpoints become a model for nodes."""

    precision: Precision = Field("fp32", description="precision of the convolutions")
    calibration_images: PositiveInt = Field(
        64, description="most training images from which int8 learns the ranges of activations"
    )


class ModelExport(Part):
    """Which model of a run is exported, how, and what it may lose by that."""

    method: str | None = Field(
        None, description="label of the method; null = the only one, else the initial model"
    )
    batch: int | None = Field(
        None, ge=0, description="batch after which the model was trained; null = the last one"
    )
    checkpoints: PositiveInt | None = Field(
        None, description="most checkpoints; null = inference.conf_check_num of the campaign"
    )
    export: Export = Export()
    max_drop: Probability = Field(
        0.02, description="most that mAP50 on the validation images may fall by"
    )
