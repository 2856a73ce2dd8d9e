"""Where images come from, and how they arrive."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from backhaul.code import Code, UserCode
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.data.limits import ImageLimits, InboxLimits
from backhaul.settings import Fraction, Part, PositiveInt
from backhaul.untrusted import user_path
from backhaul.values.roots import is_below

OURS = ("ingested", "runs")
"""Folders of a store that are Backhaul's own, as are all that begin with a dot."""


class FolderData(Part):
    """Labelled images in a folder of the user's; nothing is ever written there."""

    resources: ClassVar[frozenset[str]] = frozenset({"root"})
    """Where it lies enters no cache key by itself, see `backhaul.data.source.fingerprint`."""

    kind: Literal["folder"] = "folder"
    root: str = Field(description="folder of the data set, or its s3:// or block:// address")
    format: Literal["auto", "yolo", "voc", "coco", "cvat", "kitti", "csv"] = Field(
        "auto", description="how labels are written; auto looks at the folder"
    )
    names: Path | None = Field(
        None, description="file with one class name a line; null = as the data set says"
    )
    group_pattern: str | None = Field(
        None,
        description="regular expression searched in the file name; images in which its first "
        "group matches the same text stay in one split; null = every image for itself",
    )
    groups: Literal["auto"] | None = Field(
        None,
        description="auto = copies, frames of a video and images that look alike stay in one "
        "split, as `backhaul data check` finds them; null = as group_pattern says",
    )
    limits: ImageLimits = ImageLimits()

    @field_validator("root", mode="before")
    @classmethod
    def _expand_root(cls, value: Any) -> Any:
        if not isinstance(value, str | os.PathLike) or "://" in str(value):
            return value
        return user_path(os.fspath(value)).as_posix()

    @field_validator("names")
    @classmethod
    def _expand_names(cls, value: Path | None) -> Path | None:
        return None if value is None else user_path(value)

    @field_validator("group_pattern")
    @classmethod
    def _check_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
            if groups < 1:
                raise ValueError("expected a pattern with one (group)")
        return value

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if self.groups is not None and self.group_pattern is not None:
            raise ValueError("groups: auto and group_pattern say different things; give one")
        return self


class DigitsData(Part):
    """Scenes composed of scikit-learn's handwritten digits, written as a YOLO folder."""

    kind: Literal["digits"] = "digits"
    images: PositiveInt = Field(420, description="number of scenes")
    size_px: int = Field(96, ge=48, description="width and height of a scene, pixels")
    seed: int = Field(0, ge=0, description="seed of the scenes, apart from the campaign's")


class DigitScenes(Part):
    """Scenes of handwritten digits before one background a node, as many as are needed."""

    kind: Literal["digits"] = "digits"
    size_px: int = Field(96, ge=48, description="width and height of a scene, pixels")


class Bursts(Part):
    """How many nearly equal frames are sent of one scene."""

    exponent: float = Field(
        1.0,
        ge=0,
        description="a burst of n frames is as probable as n ** -exponent (Zipf)",
    )
    most: PositiveInt = Field(16, description="frames of the longest burst; 1 = no bursts")


class StreamData(Part):
    """Frames in order of capture, as fixed cameras send them, made of scenes of a data set."""

    kind: Literal["stream"] = "stream"
    of: FolderData | DigitScenes = Field(
        discriminator="kind", description="the scenes, each in one part of the stream alone"
    )
    frames: PositiveInt = Field(400, description="frames that arrive, of all nodes together")
    initial: PositiveInt = Field(
        100, description="images of the part that the initial set is drawn from, without bursts"
    )
    test: PositiveInt = Field(
        200, description="images of the part that is the common test set, without bursts"
    )
    nodes: int = Field(1, ge=1, le=99, description="nodes, each with an order of its own")
    bursts: Bursts = Bursts()
    empty: float = Field(
        0.2, ge=0, lt=1, description="share of frames without objects, in all parts"
    )
    seed: int = Field(
        0, ge=0, description="seed of the stream; each seed of a campaign has another stream"
    )

    @property
    def images(self) -> int:
        """Images of all parts."""
        return self.initial + self.frames + self.test


class InboxData(Part):
    """Images that edge nodes drop hour by hour; for the flow `hourly`."""

    resources: ClassVar[frozenset[str]] = frozenset({"annotation", "limits"})
    """They say what is taken in from now on, and who labels it; what was stays as it is."""

    kind: Literal["inbox"] = "inbox"
    inbox: str = Field(
        "inbox", description="where nodes drop images, as NODE/NAME.jpg: below the store"
    )
    labels: str = Field(
        "labels",
        description="where labels are put, as NODE/NAME.txt in Darknet lines: below the store",
    )
    label_source: str | None = Field(
        None,
        description="name of a Prefect block LabelSource that says where labels are put; "
        "null = as `labels` says",
    )
    detections: Literal["home", "node"] = Field(
        "home",
        description="what batches are chosen by: home = what our checkpoints see, node = what "
        "the node saw, for images that it dropped NAME.detections.json of",
    )
    limits: InboxLimits = InboxLimits()
    annotation: LabelStudioAnnotation | None = Field(
        None,
        description="a labelling service, in which images wait with the boxes that the model "
        "saw; null = labels are put into the folder by other means, which always works",
    )

    @field_validator("inbox", "labels")
    @classmethod
    def _check_folder(cls, value: str) -> str:
        parts = value.strip("/").split("/")
        if not is_below(value.strip("/")) or parts[0] in OURS or parts[0].startswith("."):
            raise ValueError(
                f"{value!r}: expected a folder below the store, none of {', '.join(OURS)}"
            )
        return value

    @model_validator(mode="after")
    def _check_apart(self) -> Self:
        one, other = (f"{folder.strip('/')}/" for folder in (self.inbox, self.labels))
        if one.startswith(other) or other.startswith(one):
            raise ValueError("inbox and labels must not lie in one another")
        return self


MadeData: TypeAlias = DigitsData | StreamData
"""What is made below the store before it is read."""

Data: TypeAlias = Annotated[
    FolderData | DigitsData | StreamData | InboxData, Field(discriminator="kind")
]


class SplitFractions(Part):
    """How labelled images are shared out; what is left over is the test set."""

    train: Fraction = Field(description="fraction of images to train on")
    valid: Fraction = Field(description="fraction of images that stopping watches")

    @model_validator(mode="after")
    def _check_rest(self) -> Self:
        if self.train + self.valid >= 1.0:
            raise ValueError("train + valid must be below 1: the rest is the test set")
        return self

    @property
    def fractions(self) -> SplitFractions:
        """The fractions alone, without what a subclass adds."""
        return SplitFractions(train=self.train, valid=self.valid)


class InitialSet(SplitFractions):
    """The labelled set the first detector is trained on, drawn stratified by class."""

    resources: ClassVar[frozenset[str]] = frozenset({"data"})
    """Where its images are read from enters no cache key: what was read does."""

    data: FolderData | None = Field(
        None, description="a data set of its own; null = drawn from `data`"
    )
    images: PositiveInt | None = Field(
        100, description="images of the initial set; null = all of its own data set"
    )
    train: Fraction = Field(0.6, description="fraction of the initial set to train on")
    valid: Fraction = Field(
        0.2, description="fraction of the initial set that stopping watches"
    )

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.images is None and self.data is None:
            raise ValueError("images may only be null where the initial set has its own data")
        return self


class Batches(SplitFractions):
    """How the other images arrive, and how those that were sent are split."""

    sampling_batch: PositiveInt = Field(100, description="images of one batch of the edge node")
    count: PositiveInt | None = Field(
        None, description="batches to play; null = as many full ones as there are"
    )
    holdout_batches: int = Field(
        1,
        ge=0,
        description="batches that are never sampled and join the common test set; of a stream, "
        "its test part does",
    )
    order: Literal["random", "capture"] = Field(
        "random",
        description="random = batches are drawn; capture = by folder and file name, the "
        "initial set first and what is held out last; a stream is always in order of capture",
    )
    gap: int = Field(
        0,
        ge=0,
        description="images in no batch after the initial set and before those held out, if "
        "in order of capture",
    )
    train: Fraction = Field(0.7, description="fraction of the sent images to train on")
    valid: Fraction = Field(
        0.15, description="fraction of the sent images that stopping watches"
    )


class Labelling(Part):
    """Where the ground truth of sent images comes from."""

    source: Literal["existing"] | Code = Field(
        "existing",
        description="existing = the data set's own labels, or module:function (image path -> "
        "boxes or Darknet lines)",
    )

    @field_validator("source")
    @classmethod
    def _check_source(cls, value: UserCode | str) -> UserCode | str:
        if isinstance(value, UserCode):
            value.require_call("a function of an image's path", "path")
        return value
