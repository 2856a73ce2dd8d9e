"""The log of whatever runs: a task, a flow, or what has no run."""

from __future__ import annotations

from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger


def logger() -> Any:
    """Return the logger of the run that this thread is in, or else one of the process."""
    try:
        return get_run_logger()
    except MissingContextError:  # a thread of ours, or no flow
        return get_logger("backhaul")
