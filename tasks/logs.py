"""Logging to Prefect: to the current task or flow run, or to the process outside of runs."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger

from backhaul.errors import AwaitingLabelsError, InputError, MissingObjectError
from backhaul.learn.training.process import TrainingError
from backhaul.storage.lease import LeaseLostError

EXPECTED = (
    InputError,
    AwaitingLabelsError,
    MissingObjectError,
    TrainingError,
    LeaseLostError,
)
"""Errors whose message says what is wrong, and where: a traceback would only hide it."""
OF_RUNS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
"""Loggers by which Prefect tells how runs ended."""
AGAIN = "exited with unexpected exception"
"""Is said of a flow run whose end was told before."""


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


def _without_traceback(record: logging.LogRecord) -> bool:
    """Take the traceback of an expected error from a record; leave out what was said before."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, EXPECTED):
        return True
    record.exc_info = None
    return AGAIN not in record.getMessage()


def tell_expected_errors_in_a_line() -> None:
    """Let runs that end by an expected error say so in one line; safe to call repeatedly."""
    for name in OF_RUNS:
        get_logger(name).addFilter(_without_traceback)


def forward_domain_logs() -> None:
    """Forward what the package `backhaul` logs to Prefect's runs; safe to call repeatedly."""
    domain = logging.getLogger("backhaul")
    if not any(isinstance(handler, RunLog) for handler in domain.handlers):
        domain.addHandler(RunLog())
        domain.setLevel(logging.INFO)
        domain.propagate = False  # Prefect's loggers hand it on
