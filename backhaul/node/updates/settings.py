"""How a node takes models and policies that home publishes."""

from __future__ import annotations

from pydantic import Field

from backhaul.settings import Part, PositiveInt, Probability


class Updates(Part):
    """What a node takes of what home publishes, and what a model must do here to stay."""

    root: str = Field(
        min_length=1,
        description="root.json of `backhaul models keys`: who may publish; it comes to the "
        "node with its software, never over the link",
    )
    group: str = Field(
        "all", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="group of the node"
    )
    every_s: float = Field(
        3_600.0, ge=1, description="seconds between two looks at what is published, about"
    )
    most_model_bytes: PositiveInt = Field(
        50_000_000,
        description="most bytes of a model; the node's folder keeps room for three",
    )
    look_s: float = Field(
        10.0, gt=0, description="95 % of looks must be faster, or the model goes, seconds"
    )
    trial_s: float = Field(
        600.0, gt=0, description="most that the trial of a model may take, seconds"
    )
    trial_bytes: PositiveInt = Field(
        2_000_000_000, description="most memory that the trial of a model may take"
    )
    most_drop: Probability = Field(
        0.1,
        description="most that F1 on labelled probe images may fall by",
    )
