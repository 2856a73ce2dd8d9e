"""What all settings have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class Part(BaseModel):
    """A part of the config: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Neutral:
    """Annotates a field of settings with the value that means "as before it was there".

    A field with this value does not enter cache keys. Without the annotation it is the default;
    where a default changes, the annotation keeps the one that it had.

    Args:
        value: The value. It never changes.
    """

    value: Any
