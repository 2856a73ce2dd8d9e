"""Which models of a run become versions for nodes, and how they get there."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from backhaul.campaign.steps import Steps
from backhaul.learn.export.settings import Export
from backhaul.learn.settings import require_mlflow
from backhaul.settings import Fraction, Part, PositiveInt


class Probation(Part):
    """How long a version is compared with the one before, on the first nodes alone."""

    frames: PositiveInt = Field(
        200, description="labelled frames, drawn by chance on those nodes, that decide"
    )
    hours: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="after so many hours those decide that there are; null = it waits for all",
    )
    margin: float = Field(
        0.1,
        gt=0,
        le=1,
        description="in the end the frames must show that F1 of a frame is worse by less than "
        "this; one that is shown to be worse before goes in any case",
    )
    alpha: Fraction = Field(
        0.05,
        description="probability that a version as good as before is called worse on the way, "
        "and that one worse by the margin passes in the end",
    )


class Publish(Part):
    """The arm whose models are registered as versions, and how these reach nodes."""

    resources: ClassVar[frozenset[str]] = frozenset(
        {
            "group",
            "signing",
            "days",
            "probe",
            "labelled",
            "export",
            "rollout",
            "probation",
            "mlflow",
        }
    )
    """How versions reach nodes: it changes no result of the campaign."""

    method: str = Field(description="label of the arm whose rounds end in candidates")
    export: Export | None = Field(
        None, description="export the model of each round for nodes, and measure it; null = not"
    )
    mlflow: bool = Field(
        False,
        description="copy versions, aliases and figures into the model registry of the MLflow "
        "server at MLFLOW_TRACKING_URI, after each hour; needs mlflow-skinny",
    )
    group: str = Field(
        "all",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="group of nodes that versions are published for",
    )
    signing: str | None = Field(
        None,
        min_length=1,
        description="folder of `backhaul models keys` where `hourly` runs; null = nothing is "
        "published but by hand",
    )
    days: float = Field(
        7.0, ge=0.01, allow_inf_nan=False, description="what is published is good for so long"
    )
    probe: str | None = Field(
        None,
        min_length=1,
        description="folder of images as the nodes have them, where `hourly` runs: nodes try a "
        "model on 8 of them; needed with signing",
    )
    labelled: str | None = Field(
        None,
        min_length=1,
        description="labelled data set there: nodes refuse a model that is worse on 32 of its "
        "images than the one before; null = none",
    )
    rollout: Steps = Field(Steps(), description="how a version goes from a few nodes to all")
    probation: Probation | None = Field(
        Probation(),
        description="how it is compared on the first nodes; null = it goes by rollout alone",
    )

    @field_validator("mlflow")
    @classmethod
    def _check_mlflow(cls, value: bool) -> bool:
        return require_mlflow(value)

    @model_validator(mode="after")
    def _check_probe(self) -> Self:
        if self.signing is not None and self.probe is None:
            raise ValueError("probe: expected a folder of images as the nodes have them")
        return self
