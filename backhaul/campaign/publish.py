"""Which models of a run become versions for nodes, and how they get there."""

from __future__ import annotations

import importlib.util

from pydantic import Field, field_validator

from backhaul.learn.export.settings import Export
from backhaul.settings import Part


class Publish(Part):
    """The arm of a campaign whose models are registered as versions."""

    method: str = Field(description="label of the arm whose rounds end in candidates")
    export: Export | None = Field(
        None, description="export the model of each round for nodes, and measure it; null = not"
    )
    mlflow: bool = Field(
        False,
        description="copy versions, aliases and figures into the model registry of the MLflow "
        "server at MLFLOW_TRACKING_URI, after each hour; needs mlflow-skinny",
    )

    @field_validator("mlflow")
    @classmethod
    def _check_mlflow(cls, value: bool) -> bool:
        if value and importlib.util.find_spec("mlflow") is None:
            raise ValueError("mlflow is not installed: pip install mlflow-skinny, or mlflow")
        return value
