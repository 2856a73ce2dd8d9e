"""The full log of a run, and the warnings in it that a view shows."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from backhaul import __version__
from backhaul.errors import InputError
from backhaul.events import Warned, emit
from backhaul.layout import INTERNAL

FORMAT = "%(asctime)s %(levelname)-7s "
OF_ENGINE = ("flow_engine", "task_engine")
"""Modules of Prefect that log a failure once a level; we say it once."""


def internal_folder(store: str) -> Path:
    """Return where files of a store's own lie on this disk; that of a bucket is here."""
    return Path("." if "://" in store else store).resolve() / INTERNAL


def log_file(store: str, name: str) -> Path:
    """Return the file of a run's log."""
    return internal_folder(store) / "runs" / name / "log.txt"


def begin_log(path: Path) -> None:
    """Add a line that says what was started, and when.

    Raises:
        InputError: If the store cannot be written to.
    """
    when = datetime.now(UTC).isoformat(timespec="seconds")
    command = shlex.join(["backhaul", *sys.argv[1:]])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"=== {when}  backhaul {__version__}: {command}\n")
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; expected a store that can be written to"
        ) from None


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Write all records to `path` in place of the terminal; warnings become events.

    To be entered once Prefect has set up its handlers.
    """
    root = logging.getLogger()
    before = root.handlers[:]
    ours = [_file_handler(path), _Warnings(logging.WARNING)]
    root.handlers[:] = ours
    try:
        yield
    finally:
        root.handlers[:] = before
        for handler in ours:
            handler.close()


def _file_handler(path: Path) -> logging.Handler:
    from prefect.logging.formatters import PrefectFormatter

    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(
        PrefectFormatter(
            format=f"{FORMAT}%(name)s - %(message)s",
            flow_run_fmt=f"{FORMAT}%(flow_run_name)s - %(message)s",
            task_run_fmt=f"{FORMAT}%(task_run_name)s - %(message)s",
        )
    )
    return handler


class _Warnings(logging.Handler):
    """Makes an event of each warning and error, as one line."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.module in OF_ENGINE:
            return
        text = " ".join(record.getMessage().split())
        emit(Warned("error" if record.levelno >= logging.ERROR else "warning", text))
