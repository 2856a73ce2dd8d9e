"""A simulated annotator: the truth with errors, and the seconds that it takes.

Seconds a box, drawn: 25.5 is the median of H. Su, J. Deng and L. Fei-Fei, "Crowdsourcing
annotations for visual object detection" (HCOMP workshop at AAAI 2012); 7.0 is the mean of
D. Papadopoulos and others, "Extreme clicking for efficient object annotation" (ICCV 2017).
Those of changes to a box that is there already are assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from backhaul.annotation.edits import SAME_OBJECT, pair
from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.settings import Part, Probability
from backhaul.values.labels import Labels

_LEAST_SIDE = 1e-4
"""Of the image's side: what is left of a box whose corners trembled past each other."""


class Seconds(Part):
    """How long each act of an annotator takes, in seconds."""

    image: float = Field(2.0, ge=0, description="to look at an image (an assumption)")
    draw: float = Field(7.0, ge=0, description="to draw a box and choose its class")
    accept: float = Field(1.0, ge=0, description="to see that a box is right (an assumption)")
    move: float = Field(4.0, ge=0, description="to move the corners of a box (an assumption)")
    reclassify: float = Field(2.0, ge=0, description="to choose another class (an assumption)")
    remove: float = Field(1.5, ge=0, description="to remove a box (an assumption)")


class Annotator(Part):
    """How an annotator works, and errs."""

    missed: Probability = Field(0.0, description="probability that an object is overlooked")
    wrong_class: Probability = Field(0.0, description="probability that a class is mistaken")
    jitter: float = Field(
        0.0,
        ge=0,
        description="standard deviation of a drawn corner, as a fraction of the box's sides",
    )
    accept_iou: float = Field(
        0.7, gt=0, le=1, description="IoU from which a box of the right class is left as it is"
    )
    seconds: Seconds = Seconds()

    @model_validator(mode="after")
    def _check_iou(self) -> Self:
        if self.accept_iou < SAME_OBJECT:
            raise ValueError(f"accept_iou: expected at least {SAME_OBJECT}")
        return self


@dataclass(frozen=True)
class Answer:
    """What an annotator made of an image.

    Args:
        labels: The labels.
        seconds: How long it took.
        n_accepted: Boxes of the model that were left as they were.
    """

    labels: Labels
    seconds: float
    n_accepted: int


def annotate(
    truth: Labels,
    shown: Labels | None,
    annotator: Annotator,
    n_classes: int,
    rng: np.random.Generator,
) -> Answer:
    """Return what an annotator makes of an image.

    An object with a box that overlaps it enough, and has its class, is left as it is; one with
    another box gets that one corrected; others are drawn. Boxes without an object are removed.

    Args:
        truth: What is in the image.
        shown: The boxes to begin with; None = an empty image.
        annotator: How the annotator works.
        n_classes: Length of the class list.
        rng: Source of chance.
    """
    boxes = Labels.empty() if shown is None else shown
    pairs = pair(boxes, truth, SAME_OBJECT)
    right = boxes.class_id[pairs.first] == truth.class_id[pairs.second]
    near = pairs.iou >= annotator.accept_iou
    others = np.setdiff1d(np.arange(len(truth)), pairs.second)
    noticed = others[rng.random(len(others)) >= annotator.missed]
    left, placed = right & near, ~near
    cost = annotator.seconds
    seconds = (
        cost.image
        + cost.accept * int(left.sum())
        + cost.reclassify * int((~right).sum())
        + cost.move * int(placed.sum())
        + cost.remove * (len(boxes) - len(pairs.first))
        + cost.draw * len(noticed)
    )
    drawn = truth.take(np.concatenate([pairs.second[placed], noticed]))
    named = truth.class_id[pairs.second[~placed]]
    kept = Labels(named, boxes.xywhn[pairs.first[~placed]])
    erring = np.concatenate([~left[~placed], np.ones(len(drawn), dtype=bool)])
    every = Labels.concat([kept, _jittered(drawn, annotator.jitter, rng)])
    labels = Labels(_mistaken(every.class_id, erring, annotator, n_classes, rng), every.xywhn)
    return Answer(labels, seconds, int(left.sum()))


def _jittered(labels: Labels, jitter: float, rng: np.random.Generator) -> Labels:
    """Return boxes whose corners tremble, cut off at the image's edges."""
    corners = labels.xyxy(1, 1)
    sides = np.tile(labels.xywhn[:, 2:], 2)
    steps = rng.normal(0, jitter, corners.shape) * sides
    moved: FloatArray = np.clip(corners + steps, 0, 1)
    low = np.minimum(moved[:, :2], moved[:, 2:])
    high = np.maximum(np.maximum(moved[:, :2], moved[:, 2:]), low + _LEAST_SIDE)
    return Labels.from_xyxy(labels.class_id, np.hstack([low, np.minimum(high, 1)]), 1, 1)


def _mistaken(
    class_id: IntArray,
    erring: BoolArray,
    annotator: Annotator,
    n_classes: int,
    rng: np.random.Generator,
) -> IntArray:
    """Return classes of which some of those that were chosen by hand are others."""
    wrong = erring & (rng.random(len(class_id)) < annotator.wrong_class)
    if n_classes == 1:
        return class_id
    steps = rng.integers(1, n_classes, len(class_id))
    return np.where(wrong, (class_id + steps) % n_classes, class_id)
