"""Values that pass between stages. Frozen, validated where they are built, never mutated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from backhaul.forms import arrange

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

Probability = Annotated[float, Field(ge=0.0, le=1.0)]

XYXY = ("x1", "y1", "x2", "y2")
IMAGE_COLUMNS = (
    "image_id",
    "uri",
    "width",
    "height",
    "size_bytes",
    "group",
    "labels",
    "label_source",
    "copy_of",
)
DETECTION_COLUMNS = ("image_id", "epoch", "class_id", "confidence", *XYXY)
FUSED_COLUMNS = ("image_id", "class_id", "confidence", "confidence_std", "votes", *XYXY)
SELECTION_COLUMNS = ("image_id", "size_bytes", "weight", "method", "reason")


def _require_columns(table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if tuple(table.columns) != columns:
        raise ValueError(f"expected columns {columns}, got {tuple(table.columns)}")


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images and what is known of them, one row an image.

    Args:
        table: Columns ``IMAGE_COLUMNS``. ``image_id`` comes from the digest of the file's
            content (augmented copies have ids of their own); ``width`` and ``height`` are in
            pixels, as displayed; ``group`` names the scene or sequence, or is None; ``labels``
            holds a float array of shape (n, 5): class_id, cx, cy, w, h normalised to [0, 1],
            of shape (0, 5) for an image without objects, or None where nobody labelled it;
            ``label_source`` says where the labels came from; ``copy_of`` is the image_id of the
            original of an augmented copy, else None.
        class_names: Names of the classes, in the order of their ids.

    Raises:
        ValueError: If a column is missing or an image_id repeats.
    """

    table: pd.DataFrame
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        _require_columns(self.table, IMAGE_COLUMNS)
        if not self.table["image_id"].is_unique:
            repeated = self.table.loc[self.table["image_id"].duplicated(), "image_id"].iloc[0]
            raise ValueError(f"image_id must be unique, {repeated} repeats")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> tuple[str, ...]:
        """The image ids, in the order of the table."""
        return tuple(self.table["image_id"])

    def where(self, mask: BoolArray) -> ImageSet:
        """Return the rows at which `mask`, of shape (n,), is true."""
        return ImageSet(self.table[mask].reset_index(drop=True), self.class_names)

    def take(self, ids: Iterable[str]) -> ImageSet:
        """Return the images `ids`, in that order.

        Raises:
            KeyError: If an id is not in the set.
        """
        rows = self.table.set_index("image_id", drop=False).loc[list(ids)]
        return ImageSet(rows.reset_index(drop=True), self.class_names)

    def originals(self) -> ImageSet:
        """Return the images that are no augmented copies."""
        return self.where(self.table["copy_of"].isna().to_numpy())

    def labelled(self) -> ImageSet:
        """Return the images somebody labelled, those without objects included."""
        return self.where(self.table["labels"].notna().to_numpy())

    def without_labels(self) -> ImageSet:
        """Return the images as an edge node sees them."""
        return ImageSet(self.table.assign(labels=None, label_source=None), self.class_names)

    def presence(self) -> BoolArray:
        """Return whether each image contains each class, shape (n, n_classes)."""
        present = np.zeros((len(self), len(self.class_names)), dtype=bool)
        for row, labels in enumerate(self.table["labels"]):
            if labels is not None:
                present[row, labels[:, 0].astype(np.int64)] = True
        return present


def empty_image_set(class_names: tuple[str, ...]) -> ImageSet:
    """Return a set without images."""
    return ImageSet(
        pd.DataFrame({name: [] for name in IMAGE_COLUMNS}, dtype=object), class_names
    )


def concat(sets: Iterable[ImageSet]) -> ImageSet:
    """Return all images of `sets`, which have the same classes, in order.

    Raises:
        ValueError: If there is no set, the classes differ, or an image is in two of them.
    """
    parts = list(sets)
    if len({part.class_names for part in parts}) != 1:
        raise ValueError("expected sets of the same classes")
    tables = [part.table for part in parts if len(part)] or [parts[0].table]
    return ImageSet(pd.concat(tables, ignore_index=True), parts[0].class_names)


@dataclass(frozen=True, slots=True)
class Splits:
    """Labelled images for training, for stopping, and for testing.

    Raises:
        ValueError: If an image, or a copy of it, is in two of the three.
    """

    train: ImageSet
    valid: ImageSet
    test: ImageSet

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for part in (self.train, self.valid, self.test):
            table = part.table
            ids = set(table["copy_of"].where(table["copy_of"].notna(), table["image_id"]))
            if seen & ids:
                raise ValueError(f"image {min(seen & ids)} is in two splits")
            seen |= ids


@dataclass(frozen=True, slots=True)
class Detections:
    """What single checkpoints see, one row a box.

    Args:
        table: Columns ``DETECTION_COLUMNS``: ``epoch`` of the checkpoint, ``confidence`` in
            [0, 1] (objectness times class probability where a model has both), corners in
            pixels of the image as displayed.

    Raises:
        ValueError: If a column is missing or a confidence is out of range.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        _require_columns(self.table, DETECTION_COLUMNS)
        _require_probabilities(self.table["confidence"])


@dataclass(frozen=True, slots=True)
class FusedDetections:
    """What an ensemble of checkpoints sees, one row an object.

    Args:
        table: Columns ``FUSED_COLUMNS``: ``confidence`` is the mean over the checkpoints,
            ``confidence_std`` its sample standard deviation (0 for one checkpoint), ``votes``
            the number of checkpoints that saw the object, corners in pixels.

    Raises:
        ValueError: If a column is missing or a confidence is out of range.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        _require_columns(self.table, FUSED_COLUMNS)
        _require_probabilities(self.table["confidence"])


def _require_probabilities(values: pd.Series[float]) -> None:
    if not values.between(0, 1).all():
        raise ValueError("confidence must be in [0, 1]")


class Bandwidth(BaseModel):
    """What one batch may send home: a number of images, a number of bytes, or both at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=arrange)

    images: int | None = Field(None, ge=0, description="most images a batch; null = no limit")
    bytes: int | None = Field(None, ge=0, description="most bytes a batch; null = no limit")

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.images is None and self.bytes is None:
            raise ValueError("expected images, bytes, or both")
        return self


@dataclass(frozen=True, slots=True)
class Pool:
    """The unlabelled images of one batch, as the node sees them. It cannot carry ground truth.

    Args:
        image_id: Unique names, n of them. Their order does not matter to any method.
        size_bytes: What sending an image costs, > 0, shape (n,).
        detections: Fused detections of these images; an image may have none.
        files: Path of each image's file, n unique names, or none where files do not matter.

    Raises:
        ValueError: If lengths differ, an id or a file repeats, a size is not positive, or a
            detection is of an image that is not in the pool.
    """

    image_id: tuple[str, ...]
    size_bytes: IntArray
    detections: FusedDetections
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.image_id)
        if self.size_bytes.shape != (n,):
            raise ValueError(
                f"expected size_bytes of shape ({n},), got {self.size_bytes.shape}"
            )
        if len(set(self.image_id)) != n:
            raise ValueError("image_id must be unique")
        if self.files and len(set(self.files)) != n:
            raise ValueError(f"expected {n} unique files, got {len(set(self.files))}")
        if not np.all(self.size_bytes > 0):
            raise ValueError("size_bytes must be positive")
        if not self.detections.table["image_id"].isin(self.image_id).all():
            raise ValueError("a detection is of an image that is not in the pool")

    def __len__(self) -> int:
        return len(self.image_id)


@dataclass(frozen=True, slots=True)
class Selection:
    """The images to send home.

    Args:
        table: Columns ``SELECTION_COLUMNS``, in the order the images were drawn: ``weight`` the
            weight with which an image was drawn, ``method`` the method's name, ``reason`` in
            words why it was drawn (its class, its bin, or that it filled what was left).

    Raises:
        ValueError: If a column is missing or an image_id repeats.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        _require_columns(self.table, SELECTION_COLUMNS)
        if not self.table["image_id"].is_unique:
            raise ValueError("image_id must be unique")

    def __len__(self) -> int:
        return len(self.table)
