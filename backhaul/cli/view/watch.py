"""Watch a command that runs flows: its view, its log, and the effect of Ctrl-C."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import typer
from rich.console import Console

from backhaul.cli.view.live import LiveView
from backhaul.cli.view.logfile import begin_log, log_file, logging_to
from backhaul.cli.view.picture import Picture
from backhaul.cli.view.plain import PlainView
from backhaul.cli.view.stopping import stopping
from backhaul.cli.view.wording import shortened
from backhaul.events import Doing, Entered, Happening, emit, listening

LOADING = "loading libraries"


class View(Protocol):
    """A display of events."""

    def open(self) -> None:
        """Begin."""

    def close(self) -> None:
        """End, with the terminal as it was."""

    def take(self, happening: Happening) -> None:
        """Show what happened; called from several threads at once."""


class Watch:
    """A command that is being watched.

    Args:
        name: Name of the run.
        store: Root of its store.
        plain: Whether to write lines where a live view is possible.
    """

    def __init__(self, name: str, store: str, plain: bool) -> None:
        self.log = log_file(store, name)
        self._flow_run = ""
        console = Console(stderr=True)
        self._view: View = PlainView(sys.stderr)
        if not plain and console.is_terminal and not console.is_dumb_terminal:
            self._view = LiveView(Picture(name, LOADING), self.log, console)
        else:
            console.print(f"log: {shortened(self.log)}", highlight=False, soft_wrap=True)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Show what happens within the block."""
        begin_log(self.log)
        with listening(self._take), stopping.doing(self._view.close, self._end_flow_run):
            self._view.open()
            try:
                yield
            finally:
                self._view.close()

    @contextmanager
    def flows(self) -> Iterator[None]:
        """Run flows within the block: they log to the file, and need a server."""
        try:
            with logging_to(self.log):
                emit(Doing("starting Prefect's server"))
                self._wait_for_server()
                emit(Doing("preparing"))
                yield
        finally:  # that its server ends at the exit is no news
            logging.getLogger("prefect").setLevel(logging.WARNING)

    def say_failed(self, error: Exception) -> None:
        """Print one line about the failure and the place of the full log."""
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"failed: {type(error).__name__}: {error}", markup=False)
        console.print(f"all of it: {shortened(self.log)}", markup=False)

    def _wait_for_server(self) -> None:
        from flows.server.temporary import use_temporary_server

        try:
            use_temporary_server()
        except RuntimeError as error:  # the server itself has said why, if it knows
            self._view.close()
            logging.getLogger(__name__).exception("Prefect's temporary server")
            self.say_failed(error)
            raise typer.Exit(1) from None

    def _take(self, happening: Happening) -> None:
        if isinstance(happening.event, Entered):
            self._flow_run = happening.event.flow_run
        else:
            self._view.take(happening)

    def _end_flow_run(self) -> None:
        """Tell the user's Prefect server, if any, that the flow runs of this process end."""
        if not self._flow_run:
            return
        from flows.server.temporary import is_temporary

        if not is_temporary():
            from flows.cancellation import end_here

            end_here(self._flow_run)
