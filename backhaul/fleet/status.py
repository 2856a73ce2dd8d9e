"""What nodes say of themselves."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from backhaul.untrusted import one_line

Word = Annotated[str, AfterValidator(one_line)]
"""Text of a node's: one line that can be printed anywhere, and what is too long cut off."""
Count = Annotated[int, Field(ge=0, le=2**62)]
Seconds = Annotated[float, Field(ge=-1e11, le=1e11)]
"""Of a clock that may be off by any number of years, in few digits."""


class Status(BaseModel):
    """What a node says of itself; keys of later versions are passed over.

    Args:
        node: Its name.
        agent: Version of its software.
        time_s: What its clock showed, seconds since 1970.
        up_s: Seconds since it was started.
        model: Version of the model that looks.
        group: Group whose releases it takes; empty = none, or a version that does not tell.
        release: Digest of the published release that it goes by, its first digits; empty = its
            own settings.
        update_refused: Why it does not take what is published; empty if it does.
        update_asked_s_ago: Seconds since home last answered it what is published; None = not
            since it was started.
        policies: Names of the policies that choose.
        window: Number of its window.
        waiting: Frames that wait to be sent.
        waiting_bytes: What their files take of its disk.
        most_bytes: What they may take.
        disk_free_bytes: What is free of its disk.
        last_frame_s_ago: Seconds since its source gave a frame.
        source: What is wrong with its source; empty if nothing is.
        held: Whether it may not send for now.
        choice_failed: Why its sampling method could not choose, so that chance did; empty if it
            could.
        refused: Why home did not take what it sent; empty if it did.
        failures: Tries to send in a row that have failed.
        keys: What tells its keys apart, eight digits; empty = it did not say.
        keys_refused: Why it does not use the keys that home gave it; empty if it does.
        totals: Counts since it was set up: seen, looked, chosen, sent, sent_bytes, up_bytes,
            down_bytes, passed_over, displaced.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    node: Word = ""
    agent: Word = ""
    time_s: Seconds = 0.0
    up_s: Seconds = 0.0
    model: Word = ""
    group: Word = ""
    release: Word = ""
    update_refused: Word = ""
    update_asked_s_ago: Seconds | None = None
    policies: tuple[Word, ...] = Field((), max_length=20)
    window: Count = 0
    waiting: Count = 0
    waiting_bytes: Count = 0
    most_bytes: Count = 0
    disk_free_bytes: Count = 0
    last_frame_s_ago: Seconds = 0.0
    source: Word = ""
    held: bool = False
    choice_failed: Word = ""
    refused: Word = ""
    failures: Count = 0
    keys: Word = ""
    keys_refused: Word = ""
    totals: dict[Word, Count] = Field(default_factory=dict, max_length=50)
