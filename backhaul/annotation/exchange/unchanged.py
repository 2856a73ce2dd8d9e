"""Whether labels that come back are the boxes that went out."""

from __future__ import annotations

import numpy as np

from backhaul.annotation.waiting import WaitingImage
from backhaul.values.labels import Labels

SAME_PX = 0.05
"""Corners that differ by less are the same: tools round to hundredths of a pixel at most."""


def is_unchanged(image: WaitingImage, labels: Labels, min_confidence: float) -> bool:
    """Return whether labels are the boxes that the image was exported with.

    Args:
        image: The image.
        labels: What came back of it.
        min_confidence: Boxes of the model with less were not exported.
    """
    sides = (image.file.width, image.file.height)
    shown = image.shown.above(min_confidence).boxes
    apart = np.abs(shown.xyxy(*sides)[:, None] - labels.xyxy(*sides)[None])
    same = (apart < SAME_PX).all(axis=2) & (shown.class_id[:, None] == labels.class_id[None])
    return bool(same.any(axis=0).all() and same.any(axis=1).all())
