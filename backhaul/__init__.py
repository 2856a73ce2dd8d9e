"""Bandwidth-aware active learning for object detectors.

Pure Python on arrays and tables, without Prefect or an object store: it also runs on a node.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backhaul.predictions.reading import Predictions
    from backhaul.predictions.selecting import select

__all__ = ["Predictions", "__version__", "select"]
__version__ = "0.1.0"

os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "1")  # read by Ultralytics at its import, once


def __getattr__(name: str) -> Any:
    """Return what is imported only when it is asked for, as it takes pandas."""
    match name:
        case "Predictions":
            from backhaul.predictions.reading import Predictions  # noqa: PLC0415

            return Predictions
        case "select":
            from backhaul.predictions.selecting import select  # noqa: PLC0415

            return select
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
