"""What happens to a node (events), and what it wants done (effects)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from backhaul.link.settings import Link
from backhaul.node.container import Kept
from backhaul.node.frame import Frame
from backhaul.node.policies import AnyPolicy
from backhaul.node.sight import Sight

# Parcels: what goes to home


@dataclass(frozen=True, slots=True)
class FrameParcel:
    """A frame that is sent."""

    digest: str


@dataclass(frozen=True, slots=True)
class SidecarParcel:
    """The sidecars of some frames, as one object.

    Args:
        batch: Its number.
        digests: The frames.
    """

    batch: int
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SummaryParcel:
    """What became of the frames of a window.

    Args:
        window: Its number.
        text: The summary, JSON.
    """

    window: int
    text: bytes


@dataclass(frozen=True, slots=True)
class StatusParcel:
    """How the node is."""


@dataclass(frozen=True, slots=True)
class KeysParcel:
    """A status that is sent with new keys, to see whether they work.

    Args:
        sealed: The keys, as home sealed them.
    """

    sealed: str


@dataclass(frozen=True, slots=True)
class ReportParcel:
    """What home asked to be told of the node.

    Args:
        question: Which time that was.
        data: The report.
    """

    question: str
    data: bytes


Parcel: TypeAlias = (
    FrameParcel | SidecarParcel | SummaryParcel | StatusParcel | KeysParcel | ReportParcel
)

# Events


@dataclass(frozen=True, slots=True)
class Captured:
    """A frame is there.

    Args:
        name: What the source calls it.
        captured_s: When it was captured, seconds since 1970 (UTC).
        size_bytes: Of its file as captured.
    """

    name: str
    captured_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A captured frame was looked at.

    Args:
        frame: The frame.
        sight: What was seen; None if it was not looked at.
        gate: Name of the gate that it did not pass; empty = it cannot be read.
    """

    frame: Captured
    sight: Sight | None
    gate: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """Frames were captured that nobody looked at, as others were under way.

    Args:
        frames: How many.
    """

    frames: int


@dataclass(frozen=True, slots=True)
class Written:
    """The file of a chosen frame is on the disk."""

    digest: str


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The file of a chosen frame found no room on the disk."""

    digest: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """Home has a parcel.

    Args:
        parcel: The parcel.
        up_bytes: What went over the wire for it in this try.
        down_bytes: What came back.
    """

    parcel: Parcel
    up_bytes: int
    down_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A parcel did not get through, or nobody knows whether it did.

    Args:
        parcel: The parcel.
        up_bytes: What went over the wire for it in this try.
        down_bytes: What came back.
        kind: ``down`` = try again, home may have it; ``refused`` = home does not take it;
            ``damaged`` = its file is not what was written.
        reason: In words.
    """

    parcel: Parcel
    up_bytes: int
    down_bytes: int
    kind: Literal["down", "refused", "damaged"]
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Whether nothing may be sent for now, as on a metered link."""

    on: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Home asks for frames.

    Args:
        digests: The frames.
    """

    digests: frozenset[str]


@dataclass(frozen=True, slots=True)
class Offered:
    """Home has other keys for the node; or has them no longer, or they are in use.

    Args:
        sealed: The keys, as home sealed them, which the node can open; empty = none to take.
    """

    sealed: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Home asks how the node is, in detail.

    Args:
        question: Differs from one time to the next.
    """

    question: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What home asked for is there to be sent.

    Args:
        question: Which time home asked.
        data: The report.
    """

    question: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """Home was asked for what it publishes.

    Args:
        up_bytes: What went over the wire.
        down_bytes: What came back.
    """

    up_bytes: int
    down_bytes: int


@dataclass(frozen=True, slots=True)
class Ruled:
    """From the next frame on another model looks, from the next window on others choose.

    Args:
        model: Version of the model.
        policies: The policies.
        link: What may be sent when.
    """

    model: str
    policies: tuple[AnyPolicy, ...]
    link: Link


@dataclass(frozen=True, slots=True)
class Woke:
    """Time has passed."""


Event: TypeAlias = (
    Captured
    | Looked
    | Passed
    | Written
    | NotWritten
    | Delivered
    | Failed
    | Held
    | Wanted
    | Offered
    | Asked
    | Gathered
    | Fetched
    | Ruled
    | Woke
)

# Effects


@dataclass(frozen=True, slots=True)
class Look:
    """Look at a captured frame; `Looked` follows."""

    frame: Captured
    policy: str


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """Write the file of a frame; `Written` or `NotWritten` follows."""

    kept: Kept


@dataclass(frozen=True, slots=True)
class Note:
    """Write into the journal that a frame waits, or what changed of it."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Drop:
    """Write into the journal that a frame is gone.

    Args:
        digest: The frame.
        number: Its number.
        vector: Its vector, half precision, if it was sent.
    """

    digest: str
    number: int
    vector: bytes | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Let all that was written count: flush the disk, then commit the journal.

    Args:
        memory: Where the node stands, a `Memory` without its closed windows, as JSON.
        closed: These, a list as JSON; None = they are those of the commit before.
    """

    memory: str
    closed: str | None = None


@dataclass(frozen=True, slots=True)
class Erase:
    """Remove the file of a frame; its end is in the journal by now."""

    digest: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Put a damaged file away; its end is in the journal by now."""

    digest: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send a parcel; `Delivered` or `Failed` follows.

    Args:
        parcel: The parcel.
        ask_first: Whether home may have it already.
    """

    parcel: Parcel
    ask_first: bool = False


@dataclass(frozen=True, slots=True)
class Rekey:
    """Use the keys from now on that home sealed: they were tried, and work.

    ``Offered("")`` follows once they are in use; without it they are tried again later.
    """

    sealed: str


@dataclass(frozen=True, slots=True)
class Gather:
    """Put together what home asked for; `Gathered` follows.

    Args:
        question: Which time home asked.
        most_bytes: Most that the report may have.
    """

    question: str
    most_bytes: int


Effect: TypeAlias = (
    Look | Write | Note | Drop | Commit | Erase | Quarantine | Send | Rekey | Gather
)
