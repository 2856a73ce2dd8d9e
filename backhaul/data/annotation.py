"""Settings of a labelling service in the loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from backhaul.errors import InputError
from backhaul.settings import Part, PositiveInt, Probability
from backhaul.untrusted import one_line

MIN_CONFIDENCE = 0.1
"""Low, as a wrong box is removed sooner than a missing one is drawn: see docs/results.md."""


class LabelStudioAnnotation(Part):
    """Label Studio: a project a run, a task an image, finished annotations become labels."""

    kind: Literal["label-studio"] = "label-studio"
    url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
        description="address of the server, http(s)://host:port; null = as `block` says",
    )
    key_variable: str = Field(
        "LABEL_STUDIO_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="variable of the environment with the access token, with `url`",
    )
    block: str | None = Field(
        None,
        description="name of a Prefect block LabelStudio with address and token, in place of "
        "`url`",
    )
    min_confidence: Probability = Field(
        MIN_CONFIDENCE,
        description="boxes of the model with less confidence are not shown to annotators",
    )
    annotators: PositiveInt = Field(
        1,
        description="how many people label each image; with two or more, how far they agree is "
        "kept",
    )
    min_agreement: Probability = Field(
        0.0,
        description="F1 of two annotators' boxes at IoU 0.5; an image with less waits until "
        "the labels of one are approved, or marked as ground truth",
    )
    review: bool = Field(
        False,
        description="true = only what a reviewer approved, or marked as ground truth, counts",
    )

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.url is None) == (self.block is None):
            raise ValueError("expected one of url (with its key_variable) and block")
        return self


def annotation_in(config: Mapping[str, Any]) -> LabelStudioAnnotation | None:
    """Return the labelling service in the stored config of a run; None if it has none.

    Raises:
        InputError: If it cannot be understood.
    """
    data = config.get("data")
    found = data.get("annotation") if isinstance(data, Mapping) else None
    try:
        return None if found is None else LabelStudioAnnotation.model_validate(found)
    except ValidationError as error:
        reason = one_line(error.errors()[0]["msg"])
        raise InputError(f"data.annotation: {reason}; expected as in a config") from None
