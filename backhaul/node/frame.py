"""A frame as the node's queue and journal know it, without its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Why: TypeAlias = Literal["wanted", "explored", "valued", "candidate"]
"""Why a frame waits: home asked for it, chance drew it, its value; or to be chosen from."""

FIRST: dict[Why, int] = {"wanted": 2, "explored": 1, "valued": 0, "candidate": -1}
"""Which goes first, whatever the values."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was looked at, and waits to be sent or to be chosen.

    Args:
        digest: SHA-256 of the bytes that are sent, hexadecimal; names the file and the object.
        number: Frames are numbered in the order in which they were captured.
        captured_s: When it was captured, seconds since 1970 (UTC), as the node's clock said.
        size_bytes: Bytes that are sent, without the sidecar.
        disk_bytes: What its file takes of the disk.
        suffix: Of its file, as ``.jpg``.
        value: What it is worth, in [0, 1].
        why: Why it was chosen.
        probability: With which probability chance would have drawn it, in [0, 1].
        window: Number of the window in which it was captured.
        policy: Name of the policy that valued it.
        model: Version of the model that looked at it.
        sent: Whether home has it, and its sidecar is still to come.
        told: Whether home has its sidecar, and may ask for it.
        doubtful: Whether a try to send it ended without an answer, so that home may have it.
    """

    digest: str
    number: int
    captured_s: float
    size_bytes: int
    disk_bytes: int
    suffix: str
    value: float
    why: Why = "valued"
    probability: float = 0.0
    window: int = 0
    policy: str = ""
    model: str = ""
    sent: bool = False
    told: bool = False
    doubtful: bool = False
