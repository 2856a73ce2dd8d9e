"""How detections are matched and counted."""

from __future__ import annotations

from pydantic import Field

from backhaul.settings import Part, Probability


class Evaluation(Part):
    """How detections are matched and counted."""

    iou_thres: Probability = Field(
        0.5, description="IoU from which a detection matches a truth"
    )
    pos_thres: Probability = Field(0.5, description="confidence from which a detection counts")
    conf_floor: Probability = Field(0.001, description="least confidence that enters mAP")
