"""Which models of a run become versions for nodes, and how they get there."""

from __future__ import annotations

from pydantic import Field

from backhaul.settings import Part


class Publish(Part):
    """The arm of a campaign whose models are registered as versions."""

    method: str = Field(description="label of the arm whose rounds end in candidates")
    mlflow: bool = Field(
        False,
        description="copy versions, aliases and figures into the model registry of the MLflow "
        "server at MLFLOW_TRACKING_URI, after each hour; needs mlflow-skinny",
    )
