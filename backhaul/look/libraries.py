"""Train and run the detector: the only modules that import torch and Ultralytics, and late."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from backhaul.errors import InputError
from backhaul.storage.scratch import process_folder

SAFE_LOAD = "ULTRALYTICS_SAFE_LOAD"
"""With it, Ultralytics loads checkpoints of the classes that it knows; no other code is run."""

LIBRARY_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_VERBOSE": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    SAFE_LOAD: "1",
}
"""Keeps the libraries off the network, and code out of what they load."""

SETTINGS_FOLDER = "YOLO_CONFIG_DIR"
"""Where Ultralytics keeps its settings: not in the user's home, nor where others may write."""


def isolate_libraries() -> None:
    """Set `LIBRARY_ENVIRONMENT` where the user has not, before Ultralytics is imported."""
    for name, value in LIBRARY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    Path(settings_folder()).mkdir(parents=True, exist_ok=True)


def settings_folder() -> str:
    """Return the user's folder for Ultralytics' settings, or else one of this process."""
    if SETTINGS_FOLDER not in os.environ:
        os.environ[SETTINGS_FOLDER] = str(process_folder() / "ultralytics")
    return os.environ[SETTINGS_FOLDER]


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
