"""What a node remembers across restarts, beside the frames that wait."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from backhaul.link.ledger import Ledger
from backhaul.link.settings import Link
from backhaul.node.steady import Steady


class Window(BaseModel):
    """What became of the frames of one window. Every frame seen is in exactly one end state.

    Args:
        number: Number of the window.
        policy: Name of the policy that chose in it.
        model: Version of the model that looked, at its end.
        began_s: When it began, steady time.
        seen: Frames that were captured.
        looked: Frames that the model looked at.
        counts: By reason, frames that were not chosen: suppressed (they look like recent ones),
            repeated (the same bytes), unreadable, too-large (for any allowance), passed (over
            while others were looked at), behind (all that wait, and the disk is full up to its
            cap), not-chosen (at the end of a window), failed (a look ended in an error, or the
            process with it), and gates by name.
        chosen: Frames that were chosen.
        sent: Those that home has acknowledged.
        displaced: By reason, those that were given up: cap (better ones came), outdone (by one
            that looks alike), full (disk), damaged.
        chosen_bytes: Bytes of the chosen frames.
        sent_bytes: Bytes of the acknowledged ones.
        seen_bytes: Bytes that all frames seen would have had.
        up_bytes: What went over the wire, headers and TLS included.
        down_bytes: What came over it.
        confidence: Objects seen, by tenths of their confidence.
        classes: Objects seen, by class.
        empty: Frames looked at without any object.
        explore: Probability with which chance drew frames.
        sent_value: Sum of the values of sent frames.
        waiting: Frames that waited at its end.
    """

    model_config = ConfigDict(extra="ignore")

    number: int
    policy: str = ""
    model: str = ""
    began_s: float = 0.0
    seen: int = 0
    looked: int = 0
    counts: dict[str, int] = Field(default_factory=dict)
    chosen: int = 0
    sent: int = 0
    displaced: dict[str, int] = Field(default_factory=dict)
    chosen_bytes: int = 0
    sent_bytes: int = 0
    seen_bytes: int = 0
    up_bytes: int = 0
    down_bytes: int = 0
    confidence: list[int] = Field(default_factory=lambda: [0] * 10)
    classes: dict[str, int] = Field(default_factory=dict)
    empty: int = 0
    explore: float = 0.0
    sent_value: float = 0.0
    waiting: int = 0


class Memory(BaseModel):
    """Where a node stands: all that a restart needs beside the frames that wait.

    Args:
        schema_: Version of this record.
        number: Number of the next frame.
        batch: Number of the next batch of sidecars.
        steady: Where its time stands.
        ledger: What is left of its allowances.
        link: The link whose allowances these are; None in journals that did not keep it.
        closed: Windows whose summary home does not have yet, oldest first.
        window: The open window; None before the first.
        totals: Sums over all windows, see `Window`.
        answered: What home asked last that was answered; empty = nothing was.
        seen_bytes: Bytes that all frames would have had of the last window that had any.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    schema_: int = Field(1, alias="schema")
    number: int = 0
    batch: int = 0
    steady: Steady = Steady()
    ledger: Ledger = Ledger()
    link: Link | None = None
    closed: list[Window] = Field(default_factory=list)
    window: Window | None = None
    totals: dict[str, int] = Field(default_factory=dict)
    answered: str = ""
    seen_bytes: int = 0
