"""A node as its operator sets it up: NODE.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from backhaul.link.settings import Link
from backhaul.node.policies import AnyPolicy, StreamPolicy
from backhaul.node.updates.settings import Updates
from backhaul.settings import Part, PositiveInt, Probability
from backhaul.uplink.settings import UplinkSettings

MEGABYTE = 1_000_000
JOURNAL_BYTES = 16 * MEGABYTE
"""Of the node's folder, for the journal and files that were put away."""
MODELS = 3
"""Those that home published and the folder has room for: in use, before, and on its way."""
ANY_RATE = Link(uplink_kbit_s=1e9)
"""A link that limits nothing."""


class FolderFrames(Part):
    """Image files that something else writes into a folder; they are never changed there."""

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1, description="the folder, with all folders below")
    settle_s: float = Field(
        2.0, ge=0, description="a file is complete once it has not changed for so long, seconds"
    )


class WaggleFrames(Part):
    """Uploads staged as on Waggle nodes: folders TIMESTAMP-SHA1 with files data and meta."""

    kind: Literal["waggle"] = "waggle"
    path: str = Field(min_length=1, description="the folder of the uploads")


class VideoFrames(Part):
    """Frames of a video file."""

    kind: Literal["video"] = "video"
    path: str = Field(min_length=1, description="the file")
    rate: float = Field(1.0, gt=0, description="frames that are looked at, per second of video")
    quality: int = Field(
        95, ge=50, le=100, description="quality of JPEG that frames are kept in"
    )


class CameraFrames(Part):
    """Frames of a camera: an RTSP address, or the number of a V4L device."""

    kind: Literal["camera"] = "camera"
    address: str | int = Field(description="rtsp://... or a number, as 0 for /dev/video0")
    rate: float = Field(0.1, gt=0, description="frames that are looked at, per second")
    quality: int = Field(
        95, ge=50, le=100, description="quality of JPEG that frames are kept in"
    )
    password_variable: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable that takes the place of {password} in the address",
    )


Frames: TypeAlias = Annotated[
    FolderFrames | WaggleFrames | VideoFrames | CameraFrames, Field(discriminator="kind")
]


class Looking(Part):
    """How the model's outputs become objects."""

    conf_thres: Probability = Field(0.1, description="least confidence of one checkpoint's box")
    nms_thres: Probability = Field(0.5, description="IoU above which suppression drops")
    iou_thres: Probability = Field(0.5, description="IoU from which boxes are one object")
    max_detections: PositiveInt = Field(300, description="most boxes of one checkpoint")
    threads: PositiveInt = Field(1, description="CPU threads of a look")


class Mask(Part):
    """A part of the picture that is made black before anything is looked at, or kept."""

    xyxy: tuple[Probability, Probability, Probability, Probability] = Field(
        description="corners x1, y1, x2, y2, as fractions of width and height"
    )

    @model_validator(mode="after")
    def _check_area(self) -> Self:
        x1, y1, x2, y2 = self.xyxy
        if not (x1 < x2 and y1 < y2):
            raise ValueError("xyxy: expected x1 < x2 and y1 < y2")
        return self


class Gates(Part):
    """Frames that are not even looked at: off, as they hide objects that the model misses."""

    dark: Probability | None = Field(
        None, description="frames with less mean lightness; null = off; .2 is deep dusk"
    )
    blurred: float | None = Field(
        None, ge=0, description="frames whose Laplacian has less variance; null = off; try 50"
    )
    still: float | None = Field(
        None,
        ge=0,
        description="frames that differ by less from the one before, in grey levels "
        "of 255; null = off; try 2",
    )


class NodeConfig(Part):
    """A node: what it looks at and with what, how it chooses, and where it sends."""

    node: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="name of the node"
    )
    folder: str = Field(
        "node", min_length=1, description="its own folder: journal, frames that wait"
    )
    most_bytes: int = Field(
        500 * MEGABYTE, ge=32 * MEGABYTE, description="most bytes that this folder may take"
    )
    frames: Frames = Field(description="where frames come from")
    model: str = Field(min_length=1, description="file that `backhaul export-model` wrote")
    look: Looking = Field(Looking(), description="how its outputs become objects")
    policies: tuple[AnyPolicy, ...] = Field(
        (StreamPolicy(),),
        min_length=1,
        max_length=8,
        description="how frames are chosen; several take turns, window by window",
    )
    link: Link = Field(ANY_RATE, description="what may be sent when, as in campaigns")
    uplink: UplinkSettings = Field(description="where home is")
    updates: Updates | None = Field(
        None,
        description="whether it takes models and policies that home publishes, and from whom; "
        "null = it does not",
    )
    masks: tuple[Mask, ...] = Field((), description="parts that are never looked at or kept")
    gates: Gates = Field(Gates(), description="frames that are passed over at once")
    hold_file: str | None = Field(
        None, description="while this file is there nothing is sent, as on a metered link"
    )
    status_s: float = Field(
        300.0, ge=5, description="seconds between two statuses, and looks for what home wants"
    )
    seed: int = Field(0, ge=0, description="seed of what is drawn")

    @field_validator("policies")
    @classmethod
    def _check_names(cls, value: tuple[AnyPolicy, ...]) -> tuple[AnyPolicy, ...]:
        names = [policy.name for policy in value]
        if len(set(names)) != len(names):
            raise ValueError(f"expected different names, got {', '.join(names)}")
        return value

    @property
    def most_frame_bytes(self) -> int:
        """Most bytes that files of frames may take of the folder."""
        models = 0 if self.updates is None else MODELS * self.updates.most_model_bytes
        return self.most_bytes - JOURNAL_BYTES - models

    @model_validator(mode="after")
    def _check_room(self) -> Self:
        if self.most_frame_bytes < JOURNAL_BYTES:
            raise ValueError(
                "most_bytes: leaves no room for frames beside the journal and "
                f"{MODELS} models of updates.most_model_bytes"
            )
        return self

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        for rule in self.link.allowances:
            if rule.bytes is not None and rule.bytes <= self.link.overhead_bytes:
                raise ValueError(
                    f"link.allowances: {rule.bytes} bytes are not enough for a file"
                )
        return self
