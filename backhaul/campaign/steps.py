"""How carefully a release goes from a few nodes to all."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from backhaul.settings import Part, Probability


class Steps(Part):
    """How carefully a release goes from a few nodes to all."""

    cohorts: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.1, 0.5, 1.0), min_length=1, max_length=20, description="shares of the nodes, growing"
    )
    soak_s: float = Field(
        21_600.0,
        ge=0,
        allow_inf_nan=False,
        description="how long a node must run the release, seconds",
    )
    most_failed: Probability = Field(
        0.1, description="share of a cohort that may refuse it, go back, or fall silent"
    )
    silent_s: float = Field(
        7_200.0,
        gt=0,
        allow_inf_nan=False,
        description="a node that is not heard of for longer fell silent, seconds",
    )

    @model_validator(mode="after")
    def _check_growing(self) -> Self:
        if list(self.cohorts) != sorted(set(self.cohorts)):
            raise ValueError("cohorts: expected shares that grow, as 0.1,0.5,1")
        return self

    def at_once(self) -> Steps:
        """Return the same steps with all nodes in the first."""
        return self.model_copy(update={"cohorts": (1.0,)})

    def beginning_with(self, least: float) -> Steps:
        """Return the same steps with no share below `least`, which is one itself if any is."""
        if least <= self.cohorts[0]:
            return self
        later = (each for each in self.cohorts if each > least)
        return self.model_copy(update={"cohorts": (least, *later)})
