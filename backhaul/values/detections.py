"""Detections of single checkpoints and of ensembles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

import numpy as np

from backhaul.arrays import BoolArray, FloatArray, IntArray, NameArray
from backhaul.values.columns import Schema, frame_of, names_of, positions, require_length
from backhaul.values.features import Features

if TYPE_CHECKING:
    import pandas as pd

Need: TypeAlias = Literal[
    "scores",
    "features",
    "descriptors",
    "disagreement",
    "validation",
    "nearness",
    "arrivals",
]
"""What is computed only where it is needed: the score of each class; of images, features by the
detector, and descriptors without one; how far the checkpoints disagree about each object; what
they see in validation images; how near vectors of images are that look the same; how nodes
chose what arrived from them."""

BESIDE: frozenset[Need] = frozenset({"validation", "nearness", "arrivals"})
"""Those needs that looking at the images of a pool does not give."""

VectorNeed: TypeAlias = Literal["features", "descriptors"]
"""Those needs that are a vector an image."""

VECTORS: tuple[VectorNeed, ...] = get_args(VectorNeed)

NO_NEEDS: frozenset[Need] = frozenset()
XYXY = ("x1", "y1", "x2", "y2")
BOX_SPREAD = "box_spread"
_CORNERS: Schema = dict.fromkeys(XYXY, "float64")
DETECTION_SCHEMA: Schema = {
    "image_id": "text",
    "epoch": "int64",
    "class_id": "int64",
    "confidence": "float64",
    **_CORNERS,
}
FUSED_SCHEMA: Schema = {
    "image_id": "text",
    "class_id": "int64",
    "confidence": "float64",
    "confidence_std": "float64",
    "votes": "int64",
    **_CORNERS,
    BOX_SPREAD: "float64",
}
DISAGREEMENT_SCHEMA: Schema = {
    "mutual_information": "float64",
    "pairwise_iou": "float64",
    "vote_fraction": "float64",
}
"""Columns of fused detections that are there only where they are needed."""
DETECTION_COLUMNS = tuple(DETECTION_SCHEMA)
FUSED_COLUMNS = tuple(name for name in FUSED_SCHEMA if name != BOX_SPREAD)


@dataclass(frozen=True, eq=False, kw_only=True)
class Boxes:
    """Boxes detected in images, one row a box, in columns of n rows.

    Args:
        image_id: The image of each box, shape (n,).
        class_id: Its class, shape (n,).
        confidence: In [0, 1] (objectness times class probability where a model has both),
            shape (n,).
        xyxy: Corners in pixels of the image as displayed, shape (n, 4).
        scores: Score of every class in [0, 1], shape (n, n_classes); None where nobody needs
            them.
        features: Features of all images that were looked at, also of those without a box; None
            where nobody needs them.
        descriptors: Their colours and textures, as `backhaul.look.descriptors` makes them;
            None where nobody needs them.

    Raises:
        ValueError: If lengths differ, or a confidence is out of range.
    """

    image_id: NameArray
    class_id: IntArray
    confidence: FloatArray
    xyxy: FloatArray
    scores: FloatArray | None = None
    features: Features | None = None
    descriptors: Features | None = None

    def __post_init__(self) -> None:
        require_length(len(self.image_id), self.columns())
        if not np.all((self.confidence >= 0) & (self.confidence <= 1)):
            raise ValueError("confidence must be in [0, 1]")

    def __len__(self) -> int:
        return len(self.image_id)

    def columns(self) -> dict[str, Any]:
        """Return all columns with one value a box, by name."""
        names = [field.name for field in fields(self) if field.name not in VECTORS]
        return {name: getattr(self, name) for name in names}

    def vectors(self) -> dict[VectorNeed, Features]:
        """Return what there is of one vector an image, by name."""
        every = {name: getattr(self, name) for name in VECTORS}
        return {name: vectors for name, vectors in every.items() if vectors is not None}

    def take(self, rows: IntArray | BoolArray) -> Self:
        """Return the boxes at `rows`: positions, in that order, or a mask of shape (n,)."""
        taken: dict[str, Any] = {
            name: None if column is None else column[rows]
            for name, column in self.columns().items()
        }
        return replace(self, **taken)

    def above(self, confidence: float) -> Self:
        """Return the boxes with more than this confidence."""
        return self.take(self.confidence > confidence)

    def of_images(self, image_id: Sequence[str]) -> Self:
        """Return the boxes and vectors of these images."""
        kept: dict[str, Any] = {n: each.only(image_id) for n, each in self.vectors().items()}
        return replace(self.take(positions(self.image_id, image_id) >= 0), **kept)


@dataclass(frozen=True, eq=False, kw_only=True)
class Detections(Boxes):
    """Detections of single checkpoints: `Boxes`, and the checkpoint of each.

    Args:
        epoch: Epoch of the checkpoint, shape (n,).
    """

    epoch: IntArray

    @staticmethod
    def from_table(table: pd.DataFrame) -> Detections:
        """Return the detections of a data frame with ``DETECTION_COLUMNS``.

        Raises:
            ValueError: If it has other columns, or a confidence is out of range.
        """
        return Detections(**_columns_of(table, DETECTION_COLUMNS))

    @staticmethod
    def concat(parts: Iterable[Detections]) -> Detections:
        """Return the boxes of all parts, at least one, without scores and vectors."""
        columns = [part.columns() for part in parts]
        names = [name for name in columns[0] if name != "scores"]
        joined: dict[str, Any] = {n: np.concatenate([c[n] for c in columns]) for n in names}
        return Detections(**joined)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The boxes as a data frame with ``DETECTION_COLUMNS``."""
        return _table(self, DETECTION_COLUMNS)


@dataclass(frozen=True, eq=False, kw_only=True)
class FusedDetections(Boxes):
    """Detections of an ensemble: `Boxes`, one an object, and how far the checkpoints agree.

    ``confidence`` and ``scores`` are means over the checkpoints.

    Args:
        confidence_std: Sample standard deviation of the confidence over the checkpoints, 0 for
            one, shape (n,).
        votes: How many checkpoints detected the object, shape (n,).
        box_spread: Sample standard deviation of the corners over those that detected it, the
            mean of the four, in pixels; 0 for one; shape (n,).
        mutual_information: How much the checkpoints disagree about the classes of the object,
            in nats, >= 0, see `backhaul.look.disagreement`; shape (n,).
        pairwise_iou: Mean IoU over all pairs of the checkpoints' boxes of its class, in [0, 1],
            NaN where fewer than two detected it, shape (n,).
        vote_fraction: Which part of the checkpoints detected it, in (0, 1], shape (n,).
        calibrated: Which part of the objects detected with such a confidence is right, as
            validation images tell, in [0, 1], shape (n,); None where no method asks.

    The three before the last are None where nobody needs disagreement.
    """

    confidence_std: FloatArray
    votes: IntArray
    box_spread: FloatArray
    mutual_information: FloatArray | None = None
    pairwise_iou: FloatArray | None = None
    vote_fraction: FloatArray | None = None
    calibrated: FloatArray | None = None

    @staticmethod
    def from_table(table: pd.DataFrame) -> FusedDetections:
        """Return the detections of a data frame with ``FUSED_COLUMNS``, and maybe others.

        Those that it may have beside them are box_spread and the columns of disagreement.

        Raises:
            ValueError: If it has other columns, or a confidence is out of range.
        """
        optional = {
            name: table[name].to_numpy(dtype=np.float64)
            for name in (BOX_SPREAD, *DISAGREEMENT_SCHEMA)
            if name in table
        }
        known = _columns_of(table.drop(columns=[*optional]), FUSED_COLUMNS)
        return FusedDetections(**{BOX_SPREAD: np.zeros(len(table))} | optional | known)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The objects as a data frame with ``FUSED_COLUMNS``, box_spread, and disagreement.

        The columns of disagreement are there where they are needed.
        """
        measured = [name for name in DISAGREEMENT_SCHEMA if getattr(self, name) is not None]
        return _table(self, (*FUSED_SCHEMA, *measured))


def _columns_of(table: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, Any]:
    if tuple(table.columns) != columns:
        raise ValueError(f"expected columns {columns}, got {tuple(table.columns)}")
    types = {**DETECTION_SCHEMA, **FUSED_SCHEMA}
    numbers = [name for name in columns if name not in ("image_id", *XYXY)]
    return {
        "image_id": names_of(table["image_id"]),
        "xyxy": np.ascontiguousarray(table[list(XYXY)].to_numpy(dtype=np.float64)),
        **{name: table[name].to_numpy(dtype=types[name]) for name in numbers},
    }


def _table(boxes: Boxes, columns: tuple[str, ...]) -> pd.DataFrame:
    known = boxes.columns() | dict(zip(XYXY, boxes.xyxy.T, strict=True))
    return frame_of({name: known[name] for name in columns}, texts=("image_id",))
