"""Progress bars in a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from backhaul.errors import AwaitingLabelsError, InputError
from tasks.progress import terminal


class _OneLine(logging.Filter):
    """Leaves tracebacks out where one line, that of the final state, tells what to mend."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (
            record.exc_info and isinstance(record.exc_info[1], InputError | AwaitingLabelsError)
        )


@contextmanager
def live_progress() -> Iterator[None]:
    """Show the progress of stages, and print log lines above it, within the block."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    rows: dict[str, TaskID] = {}

    def show(description: str, done: int, total: int) -> None:
        if description not in rows:
            rows[description] = bars.add_task(description, total=total)
        bars.update(rows[description], completed=done, total=total, visible=done < total)

    for handler in _console_handlers():
        handler.addFilter(_OneLine())
        handler.console = console
    token = terminal.set(show)
    try:
        with bars:
            yield
    finally:
        terminal.reset(token)


def _console_handlers() -> list[PrefectConsoleHandler]:
    handlers = logging.getLogger().handlers  # Prefect prints through the root logger
    return [handler for handler in handlers if isinstance(handler, PrefectConsoleHandler)]
