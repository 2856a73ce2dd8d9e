"""Summaries of windows: what became of the frames of a node in a time."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.inbox.origin import PolicyName, Whole, Word
from backhaul.untrusted import UnreadableFileError

MOST_BYTES = 64 * 1024
"""Of a summary."""
TENTHS = 10
Counts: TypeAlias = Annotated[
    dict[Annotated[str, Field(max_length=100)], Whole], Field(max_length=1_000)
]


class Summary(BaseModel):
    """What became of the frames of one window, as the node's agent tells it.

    Args:
        node: Name of the node.
        number: Number of the window.
        policy: Name of the policy that chose in it.
        model: Version of the model that looked.
        began_s: When it began, by the node's clock, seconds.
        seen: Frames that were captured.
        looked: Frames that the model looked at.
        counts: By reason, frames that were not chosen.
        chosen: Frames that were chosen.
        sent: Frames that came home.
        displaced: By reason, chosen frames that were given up.
        seen_bytes: Bytes that all frames seen would have had.
        chosen_bytes: Bytes of the chosen ones.
        sent_bytes: Bytes of those that came home.
        up_bytes: What went over the wire, headers included.
        down_bytes: What came over it.
        confidence: Objects seen, by tenths of their confidence.
        classes: Objects seen, by number of their class.
        empty: Frames looked at without any object.
        explore: Probability with which chance drew frames.
        waiting: Frames that waited at its end.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")

    node: Word
    number: Whole
    policy: PolicyName = ""
    model: Word = ""
    began_s: float = Field(0.0, ge=-1e11, le=1e11)
    seen: Whole = 0
    looked: Whole = 0
    counts: Counts = {}
    chosen: Whole = 0
    sent: Whole = 0
    displaced: Counts = {}
    seen_bytes: Whole = 0
    chosen_bytes: Whole = 0
    sent_bytes: Whole = 0
    up_bytes: Whole = 0
    down_bytes: Whole = 0
    confidence: list[Whole] = Field([0] * TENTHS, min_length=TENTHS, max_length=TENTHS)
    classes: Counts = {}
    empty: Whole = 0
    explore: float = Field(0.0, ge=0.0, le=1.0)
    waiting: Whole = 0


def read_summary(data: bytes, path: str, node: str) -> Summary:
    """Return the summary in a file.

    Args:
        data: Content of the file.
        path: Path of the file, for the error.
        node: The node in whose folder it lay.

    Raises:
        UnreadableFileError: If it is none, or of another node.
    """
    try:
        summary = Summary.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "summary"
        raise UnreadableFileError(path, f"{where}: {first['msg']}") from None
    if summary.node != node:
        raise UnreadableFileError(path, f"is of another node than {node}")
    return summary
