"""A detector that learns nothing and sees a box in every image; its source enters keys.

Leave it as it is: the committed store was made with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class TinyDetector:
    """Sees one box in each image, surer of some than of others."""

    def train(self, task: Any) -> Iterator[Any]:
        """Yield epochs whose weights are their number."""
        from backhaul.learn.protocol import TrainedEpoch

        for epoch in range(task.first_epoch, task.first_epoch + task.epochs):
            weights = task.folder / "weights.pt"
            weights.write_text(str(epoch), encoding="utf-8")
            yield TrainedEpoch(train_loss=1 / epoch, valid_loss=1 / epoch, weights=weights)

    def predict(
        self, weights: Path, images: Sequence[Path], class_names: Sequence[str], settings: Any
    ) -> Iterator[Any]:
        """Yield the box of each image, with a class and a confidence that its file says."""
        for image in images:
            number = sum(image.read_bytes())
            confidence = (number % 89 + 5) / 100
            yield np.array([[8, 8, 40, 40, confidence, number % len(class_names)]])
