"""A detector that is trained on several data sets, for others to start from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from backhaul.data.settings import DigitsData, FolderData, SplitFractions, StreamData
from backhaul.learn.settings import Training
from backhaul.settings import Fraction
from backhaul.study.settings import Name


class PretrainingConfig(SplitFractions):
    """What a detector is trained on, and how."""

    name: Name = Field(description="name of the pretraining")
    store: str = Field(".", description="root of the store for what is computed")
    seed: int = Field(0, ge=0, description="seed of the streams, the split, and the training")
    sets: dict[
        Name,
        Annotated[FolderData | DigitsData | StreamData, Field(discriminator="kind")],
    ] = Field(description="data sets by name; all of their labelled images are trained on")
    train: Fraction = Field(0.9, description="fraction of the images to train on")
    valid: Fraction = Field(0.05, description="fraction of the images to validate with")
    training: Training = Field(description="how the detector is trained; Ultralytics alone")

    @field_validator("sets")
    @classmethod
    def _check_sets(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not value:
            raise ValueError("expected at least one")
        return value

    @field_validator("training")
    @classmethod
    def _check_training(cls, value: Training) -> Training:
        if value.detector is not None:
            raise ValueError("detector: only one of Ultralytics can be started from")
        return value
