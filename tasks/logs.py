"""Logging to Prefect: to the current task or flow run, or to the process outside of runs."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger


def logger() -> Any:
    """Return the logger of this thread's task or flow run, or else one of the process."""
    try:
        return get_run_logger()
    except MissingContextError:  # a thread of ours, or no flow
        return get_logger("backhaul")


class RunLog(logging.Handler):
    """Forwards log records of the package `backhaul` to this thread's run, for Prefect's UI."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record again, with the logger of the run."""
        logger().log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def forward_domain_logs() -> None:
    """Forward what the package `backhaul` logs to Prefect's runs; safe to call repeatedly."""
    domain = logging.getLogger("backhaul")
    if not any(isinstance(handler, RunLog) for handler in domain.handlers):
        domain.addHandler(RunLog())
        domain.setLevel(logging.INFO)
        domain.propagate = False  # Prefect's loggers hand it on
