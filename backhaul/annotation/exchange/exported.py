"""Which boxes images were exported with: what comes back is compared with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from backhaul.annotation.waiting import WaitingImage
from backhaul.campaign.recordfiles import RecordType
from backhaul.data.annotation import MIN_CONFIDENCE
from backhaul.fleet.keeping import changed
from backhaul.labellayout import exported_place
from backhaul.layout import RunFiles


class Exported(BaseModel):
    """With which boxes images were exported that waited then.

    Args:
        min_confidence: Boxes of the model with less were left out, by image_id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_confidence: dict[str, float] = {}


EXPORTED = RecordType("record of exports", Exported)


def note_export(
    files: RunFiles, waiting: Sequence[WaitingImage], min_confidence: float
) -> None:
    """Record with which boxes images were exported; what waits no more is forgotten.

    Args:
        files: Where the files of the run lie.
        waiting: All images that wait: those exported.
        min_confidence: Boxes of the model with less were left out.
    """
    new = Exported(min_confidence={image.file.image_id: min_confidence for image in waiting})
    changed(EXPORTED, exported_place(files), lambda _: new)


def as_exported(
    files: RunFiles, waiting: Sequence[WaitingImage], min_confidence: float | None
) -> list[WaitingImage]:
    """Return images with the boxes alone that they were exported with.

    Args:
        files: Where the files of the run lie.
        waiting: The images.
        min_confidence: Boxes of the model with less were left out; None = as the last export
            of each image says, or the default where there was none.
    """
    known = (EXPORTED.read(exported_place(files)) or Exported()).min_confidence
    return [
        replace(image, shown=image.shown.above(_least(image, known, min_confidence)))
        for image in waiting
    ]


def _least(image: WaitingImage, known: dict[str, float], min_confidence: float | None) -> float:
    if min_confidence is not None:
        return min_confidence
    return known.get(image.file.image_id, MIN_CONFIDENCE)
