"""The stages around training: augmentation, inference, labels, mixing, evaluation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from backhaul.config.part import Part, PositiveInt
from backhaul.plugins import Code, UserCode
from backhaul.types import Probability


class Cropping(Part):
    """Objects that the initial model finds are cut out, and the node sends those instead."""

    batches: Literal["none", "first", "all"] = Field(
        "none", description="batches whose images are replaced by their crops"
    )
    conf_thres: Probability = Field(0.25, description="least confidence of an object")
    margin: float = Field(
        0.0, ge=0, description="border on each side, as a fraction of the object's side"
    )
    min_side_px: PositiveInt = Field(16, description="smaller crops are left out, pixels")
    min_visibility: Probability = Field(
        0.5, description="least fraction of a true box inside a crop for it to be labelled"
    )
    function: Code | None = Field(
        None,
        description="module:function (image path, detections -> boxes to cut out); null = "
        "objects that overlap no other",
    )

    @field_validator("function")
    @classmethod
    def _check_function(cls, value: UserCode | None) -> UserCode | None:
        if value is not None and not callable(value.load()):
            raise ValueError(f"{value.use}: expected a function")
        return value


class Augmentation(Part):
    """Copies of training images, made once before a training."""

    images_per_class: PositiveInt | None = Field(
        None,
        description="images that should contain each class, originals included; null = none",
    )
    major: bool = Field(
        False, description="also shift, scale, rotate, crop and distort (p = 0.9)"
    )
    flip: Literal["none", "horizontal"] = Field(
        "horizontal",
        description="flips among the minor transformations; none for digits or text",
    )
    min_visibility: Probability = Field(
        0.75,
        description="a copy that leaves less than this fraction of a box's area is redrawn",
    )
    pipeline: Code | None = Field(
        None, description="module:function that builds the albumentations pipeline; null = ours"
    )


class Inference(Part):
    """The ensemble of checkpoints that looks at a batch."""

    resources: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    conf_check_num: PositiveInt = Field(5, description="most checkpoints of the ensemble")
    first_epoch_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="checkpoints before this fraction of all epochs so far are left out"
    )
    conf_thres: Probability = Field(0.1, description="least confidence of one checkpoint's box")
    nms_thres: Probability = Field(
        0.5, description="IoU above which non-maximum suppression drops"
    )
    iou_thres: Probability = Field(
        0.5, description="IoU from which boxes are one object in fusion"
    )
    label_from: Literal["mean", "last"] = Field(
        "mean",
        description="class of an object: greatest mean confidence, or the last checkpoint's",
    )
    max_detections: PositiveInt = Field(
        300, description="most boxes of one checkpoint an image"
    )
    batch_size: PositiveInt = Field(16, description="images of one forward pass")


class Labelling(Part):
    """Where the ground truth of sent images comes from."""

    source: Literal["existing"] | Code = Field(
        "existing",
        description="existing = the data set's own labels, or module:function (image path -> "
        "boxes or Darknet lines)",
    )


class Mixing(Part):
    """How new images join the old ones for a retraining."""

    retrain_new: float = Field(
        0.5, gt=0, le=1, description="fraction of new images in the mix; the rest is old"
    )


class Evaluation(Part):
    """How detections are matched and counted."""

    iou_thres: Probability = Field(
        0.5, description="IoU from which a detection matches a truth"
    )
    pos_thres: Probability = Field(0.5, description="confidence from which a detection counts")
    conf_floor: Probability = Field(0.001, description="least confidence that enters mAP")
