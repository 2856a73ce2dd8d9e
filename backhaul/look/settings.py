"""Settings of inference with an ensemble of checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from backhaul.look.ensemble import ensemble
from backhaul.settings import Part, PositiveInt, Probability
from backhaul.values.checkpoints import Checkpoint


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

    def looking(self, checkpoints: Sequence[Checkpoint]) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of a model that form the ensemble for a batch."""
        return ensemble(checkpoints, self.conf_check_num, self.first_epoch_fraction)
