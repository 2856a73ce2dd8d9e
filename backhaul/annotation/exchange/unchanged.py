"""Labels that come back as they went out, which nobody may have looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backhaul.annotation.exchange.returned import Returned
from backhaul.annotation.waiting import WaitingImage
from backhaul.values.labels import Labels

SAME_PX = 0.05
"""Corners that differ by less are the same: tools round to hundredths of a pixel at most."""


def set_aside_unchanged(returned: Returned, waiting: Sequence[WaitingImage]) -> int:
    """Drop labels that are the boxes that went out, but of images marked as done.

    Args:
        returned: What came back.
        waiting: The images, with the boxes that they were exported with.

    Returns:
        The number of images that wait for it.
    """
    unchanged = [
        image.file.image_id
        for image in waiting
        if image.file.image_id in returned.labels.keys() - returned.checked
        and _is_unchanged(image, returned.labels[image.file.image_id])
    ]
    for image_id in unchanged:
        del returned.labels[image_id]
    return len(unchanged)


def _is_unchanged(image: WaitingImage, labels: Labels) -> bool:
    """Return whether labels are the boxes that the image was exported with."""
    sides = (image.file.width, image.file.height)
    shown = image.shown.boxes
    apart = np.abs(shown.xyxy(*sides)[:, None] - labels.xyxy(*sides)[None])
    same = (apart < SAME_PX).all(axis=2) & (shown.class_id[:, None] == labels.class_id[None])
    return bool(same.any(axis=0).all() and same.any(axis=1).all())
