"""The log of whatever runs: a task, a flow, or what has no run."""

from __future__ import annotations

import logging
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


class RunLog(logging.Handler):
    """Hands what the domain logs to the run that this thread is in, for Prefect's UI."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record once more, as one of the run."""
        logger().log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def forward_domain_logs() -> None:
    """Let runs have what the package `backhaul` logs; calling it again changes nothing."""
    domain = logging.getLogger("backhaul")
    if not any(isinstance(handler, RunLog) for handler in domain.handlers):
        domain.addHandler(RunLog())
        domain.setLevel(logging.INFO)
