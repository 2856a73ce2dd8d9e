"""Functions of a user's own that read images."""

from __future__ import annotations

from pathlib import Path

import cv2
import pandas as pd


def whole_image(path: Path, detections: pd.DataFrame) -> list[tuple[int, int, int, int]]:
    """Return the box of all that is seen."""
    height, width = cv2.imread(str(path)).shape[:2]  # type: ignore[union-attr] # as users write
    return [(0, 0, width, height)]


def label_dark(path: Path) -> list[str]:
    """Return one box for an image that is dark."""
    dark = cv2.imread(str(path)).mean() < 128  # type: ignore[union-attr] # as users write
    return ["0 0.5 0.5 0.5 0.5"] if dark else []
