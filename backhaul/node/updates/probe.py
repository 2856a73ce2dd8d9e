"""Probe images: what a model finds in them at home, it must find on a node as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Base64Bytes, Field, ValidationError

from backhaul.arrays import BoolArray, FloatArray
from backhaul.data.headers import open_image
from backhaul.geometry import pairwise_iou
from backhaul.look.modelfile import Precision
from backhaul.look.onnx import OnnxModel
from backhaul.look.protocol import PredictionSettings
from backhaul.node.updates.errors import RefusedError
from backhaul.settings import Part, PositiveInt, Probability

FORMAT: Final = 1
MOST_IMAGES = 64
COUNTS_FROM = 0.25
"""Confidence from which a box counts for F1."""
SAME_OBJECT = 0.5
"""IoU from which a box is a labelled object."""

Found: TypeAlias = tuple[int, int, float, float, float, float, float]
"""Epoch, class, confidence, and corners x1, y1, x2, y2 in pixels."""
Labelled: TypeAlias = tuple[int, float, float, float, float]
"""Class, and corners in pixels."""


class ProbeImage(Part):
    """A small image.

    Args:
        file: Its file, in base64.
        found: What the model finds in it at home, one a box.
        labelled: What people see in it; None where nobody labelled it.
    """

    file: Base64Bytes
    found: tuple[Found, ...] = Field((), max_length=1_000)
    labelled: Annotated[tuple[Labelled, ...], Field(max_length=1_000)] | None = None


class Probe(Part):
    """Images by which a node tells whether a model works as it does at home.

    Args:
        format: Version of its form.
        conf_thres: Boxes have more confidence than this.
        nms_thres: IoU above which suppression drops boxes.
        max_detections: Most boxes of a checkpoint in an image.
        images: The images.
    """

    format: Literal[1] = FORMAT
    conf_thres: Probability = 0.1
    nms_thres: Probability = 0.5
    max_detections: PositiveInt = 100
    images: tuple[ProbeImage, ...] = Field(min_length=1, max_length=MOST_IMAGES)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much boxes on two machines may differ.

    Args:
        iou: Least intersection over union of a box and its counterpart.
        confidence: Most that their confidences differ by.
        share: Least share of boxes that have a counterpart.
    """

    iou: float
    confidence: float
    share: float


TOLERANCES: dict[Precision, Tolerance] = {
    "fp32": Tolerance(iou=0.99, confidence=0.01, share=0.995),
    # Sums of 8-bit products saturate on processors without VNNI, and differ from others' there.
    "int8": Tolerance(iou=0.9, confidence=0.1, share=0.9),
}


def probe_of(data: bytes) -> Probe:
    """Return probe images as they are published.

    Raises:
        RefusedError: If they are none, or of a later form.
    """
    try:
        return Probe.model_validate_json(data)
    except ValidationError:
        raise RefusedError("its probe images are not of a form that this agent knows") from None


def pixels_of(image: ProbeImage) -> NDArray[np.uint8]:
    """Return the pixels of a probe image, RGB, shape (height, width, 3)."""
    with open_image(image.file) as opened:
        return np.asarray(opened.convert("RGB"))


def boxes_in(model: OnnxModel, pixels: NDArray[np.uint8], probe: Probe) -> FloatArray:
    """Return what a model finds in an image, rows as `Found`, shape (n, 7)."""
    settings = PredictionSettings(
        img_size=model.info.img_size,
        conf_thres=probe.conf_thres,
        nms_thres=probe.nms_thres,
        max_detections=probe.max_detections,
    )
    seen = model.look(pixels, "probe", settings)
    columns = [seen.epoch, seen.class_id, seen.confidence, *seen.xyxy.T]
    return np.column_stack(columns).astype(np.float64)


def expected_of(image: ProbeImage) -> FloatArray:
    """Return what was found at home, shape (n, 7)."""
    return np.array(image.found, dtype=np.float64).reshape(-1, 7)


def agreement(
    found: FloatArray, expected: FloatArray, conf_thres: float, tolerance: Tolerance
) -> tuple[int, int]:
    """Return how many boxes have a counterpart, and how many there are, both ways.

    Boxes so near the threshold that they may be there or not do not count.

    Args:
        found: Boxes found here, rows as `Found`.
        expected: Boxes found at home.
        conf_thres: The threshold.
        tolerance: By how much they may differ.
    """
    agree = _alike(found, expected, tolerance)
    sure = conf_thres + tolerance.confidence
    here, there = found[:, 2] > sure, expected[:, 2] > sure
    n_agree = np.count_nonzero(agree.sum(axis=1)[here])
    n_agree += np.count_nonzero(agree.sum(axis=0)[there])
    return int(n_agree), int(here.sum() + there.sum())


def f1(found: FloatArray, labelled: FloatArray) -> tuple[int, int]:
    """Return twice the number of objects that were found, and of all boxes and objects.

    The ratio of the sums over all images is F1. Boxes are matched greedily, the most confident
    first, one to one.

    Args:
        found: Boxes of the last checkpoint, rows as `Found`.
        labelled: Objects, rows as `Labelled`, shape (m, 5).
    """
    is_last: BoolArray = np.equal(found[:, 0], found[:, 0].max(initial=0))
    found = found[is_last & (found[:, 2] >= COUNTS_FROM)]
    found = found[np.argsort(-found[:, 2], kind="stable")]
    fits = pairwise_iou(found[:, 3:], labelled[:, 1:])
    fits = np.where(found[:, None, 1] == labelled[None, :, 0], fits, 0.0)
    n_hits = 0
    for row in range(len(fits)):
        if fits.shape[1] and fits[row].max() >= SAME_OBJECT:
            fits[:, fits[row].argmax()] = 0.0
            n_hits += 1
    return 2 * n_hits, len(found) + len(labelled)


def _alike(found: FloatArray, expected: FloatArray, tolerance: Tolerance) -> BoolArray:
    """Return which boxes are counterparts, shape (n, m)."""
    same = np.equal(found[:, None, 0], expected[None, :, 0])
    same &= np.equal(found[:, None, 1], expected[None, :, 1])
    near = np.abs(found[:, None, 2] - expected[None, :, 2]) <= tolerance.confidence
    over = pairwise_iou(found[:, 3:], expected[:, 3:]) >= tolerance.iou
    alike: BoolArray = same & near & over
    return alike
