"""What could be sent of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backhaul.arrays import IntArray
from backhaul.values.detections import FusedDetections


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
