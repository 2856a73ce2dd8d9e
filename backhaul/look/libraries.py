"""Train and run the detector: the only modules that import torch and Ultralytics, and late."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

LIBRARY_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_VERBOSE": "false",
    "YOLO_CONFIG_DIR": str(Path(tempfile.gettempdir()) / "backhaul-ultralytics"),
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Keeps the libraries off the network and their settings files out of the user's home."""


def isolate_libraries() -> None:
    """Set `LIBRARY_ENVIRONMENT` where the user has not, before Ultralytics is imported."""
    for name, value in LIBRARY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)
