"""How a node chose an image, as the inbox's log has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.arrays import FloatArray
from backhaul.errors import InputError
from backhaul.settings import Probability
from backhaul.values.arrivals import Arrivals
from backhaul.values.columns import names_of

Word: TypeAlias = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
PolicyName: TypeAlias = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]
SHORT_DIGEST = 12
"""Digits of a model's digest by which nodes name it."""
Whole: TypeAlias = Annotated[int, Field(ge=0, le=2**48)]
"""A count, or bytes: sums of thousands of them are exact."""


class Origin(BaseModel):
    """How a node chose an image.

    Args:
        frame_id: What the node's source calls the frame.
        captured_s: When it was captured, seconds since 1970 by the node's clock.
        model: Version of the model that looked at it.
        policy: Name of the policy in whose window it was captured.
        window: Number of that window.
        why: Why it was sent: ``explored``, ``valued`` or ``wanted``.
        value: What it was worth to the policy, in [0, 1].
        probability: With which probability chance would have drawn it, in [0, 1].
        recipe: In what form it was sent: ``original`` or ``reencoded``; empty = unknown.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    frame_id: str = Field("", max_length=1_000)
    captured_s: float = Field(ge=0.0, le=1e11)
    model: Word = ""
    policy: PolicyName = ""
    window: Whole = 0
    why: Literal["wanted", "explored", "valued", "candidate"]
    value: Probability = 0.0
    probability: Probability = 0.0
    recipe: Word = ""


def arrivals_of(rows: pd.DataFrame) -> Arrivals:
    """Return how nodes chose the images of a table with ``LOG_COLUMNS``.

    Rows that an earlier version wrote say nothing of it.

    Raises:
        InputError: If the log says what no ingestion has written.
    """
    origins = origins_of(rows)
    unknown = float("nan")
    return Arrivals(
        image_id=names_of(rows["image_id"]),
        policy=names_of("" if each is None else each.policy for each in origins),
        why=names_of("" if each is None else each.why for each in origins),
        probability=_column(unknown if each is None else each.probability for each in origins),
        captured_s=_column(unknown if each is None else each.captured_s for each in origins),
    )


def origins_of(rows: pd.DataFrame) -> list[Origin | None]:
    """Return what nodes told of the images of a table with ``LOG_COLUMNS``, in order.

    Raises:
        InputError: If the log says what no ingestion has written.
    """
    texts = rows["origin"] if "origin" in rows else [None] * len(rows)
    return [None if pd.isna(text) else _origin(text) for text in texts]


def _origin(text: str) -> Origin:
    try:
        return Origin.model_validate_json(text)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise InputError(f"origin in the log of the inbox: {reason}") from None


def _column(values: Iterable[float]) -> FloatArray:
    return np.array(list(values), dtype=np.float64)
