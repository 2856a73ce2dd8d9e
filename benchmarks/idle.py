"""A detector that does next to nothing, to see what a campaign costs around its detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from backhaul.detector.protocol import PredictionSettings, TrainedEpoch, TrainingTask
from backhaul.types import FloatArray

ONE_BOX = np.array([[8.0, 8.0, 24.0, 24.0, 0.5, 0.0]])


class IdleDetector:
    """Learns nothing, and sees the same box in every image."""

    def train(self, task: TrainingTask) -> Iterator[TrainedEpoch]:
        """Yield epochs whose weights are their number."""
        for epoch in range(task.first_epoch, task.first_epoch + task.epochs):
            weights = task.folder / "weights.pt"
            weights.write_text(str(epoch), encoding="utf-8")
            yield TrainedEpoch(train_loss=1.0, valid_loss=1.0, weights=weights)

    def predict(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterator[FloatArray]:
        """Yield the box, once an image."""
        for _ in images:
            yield ONE_BOX
