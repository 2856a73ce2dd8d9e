"""Train and run the detector: the only modules that import torch and Ultralytics, and late."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from backhaul.errors import InputError

SAFE_LOAD = "ULTRALYTICS_SAFE_LOAD"
"""With it, Ultralytics loads checkpoints of the classes that it knows; no other code is run."""

LIBRARY_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_VERBOSE": "false",
    "YOLO_CONFIG_DIR": str(Path(tempfile.gettempdir()) / "backhaul-ultralytics"),
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    SAFE_LOAD: "1",
}
"""Keeps the libraries off the network, their settings files out of the user's home, and code
out of what they load."""


def isolate_libraries() -> None:
    """Set `LIBRARY_ENVIRONMENT` where the user has not, before Ultralytics is imported."""
    for name, value in LIBRARY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)


def require_safe_loading() -> None:
    """Check that Ultralytics loads safely here: it reads the environment once, at its import.

    Raises:
        InputError: If it does not.
    """
    from ultralytics.nn import tasks

    sys.modules.setdefault("clip", None)  # type: ignore[arg-type] # imported for its classes
    if not (tasks.SAFE_LOAD and tasks._SafeLoad.SUPPORTED):
        raise InputError(
            f"checkpoints are not loaded safely here: unset {SAFE_LOAD}, and import "
            "Ultralytics after backhaul; training.trust lets the code in checkpoints be run"
        )
