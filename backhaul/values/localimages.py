"""Image files on this machine's disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backhaul.arrays import IntArray
from backhaul.values.columns import require_length


@dataclass(frozen=True, slots=True, eq=False)
class LocalImages:
    """Image files on this machine's disk, n of them, as input of a detector.

    Args:
        image_id: Their names.
        paths: Their files.
        size_px: Width and height of each as displayed, shape (n, 2).
        class_names: The classes that may be seen, in the order of their ids.

    Raises:
        ValueError: If lengths differ.
    """

    image_id: tuple[str, ...]
    paths: tuple[str, ...]
    size_px: IntArray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        columns = {"paths": np.array(self.paths), "size_px": self.size_px}
        require_length(len(self.image_id), columns)

    def __len__(self) -> int:
        return len(self.image_id)
