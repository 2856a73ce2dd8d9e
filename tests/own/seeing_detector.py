"""The detector of the tests that also gives features of images, as a probe needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fixed_detector import Templates

from backhaul.arrays import Float32Array
from backhaul.look.descriptors import describe_files
from backhaul.look.protocol import PredictionSettings


class Seeing(Templates):
    """Finds what the other one does, and features are descriptors."""

    def features(
        self,
        weights: Path,
        images: Sequence[Path],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> Iterator[Float32Array]:
        """Yield the descriptor of each image."""
        for image in images:
            yield describe_files([str(image)])[0]
