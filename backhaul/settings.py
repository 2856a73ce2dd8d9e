"""What all settings have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class Part(BaseModel):
    """A part of the config: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
