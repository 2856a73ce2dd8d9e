"""Progress of a long stage, as an event and as a Prefect progress artifact."""

from __future__ import annotations

import time
from uuid import UUID

from prefect import get_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from backhaul.events import Progressed, emit
from tasks.shown import REFUSALS, change, show

UPDATE_S = 5.0
"""Seconds between two updates of an artifact: each is a request to the server."""
AFTER_REFUSAL_S = 60.0
"""Seconds until a server that took none is asked again."""


class Progress:
    """Reports the progress of one stage; call it with (done, total)."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.artifact: UUID | None = None
        self.due = time.monotonic() + UPDATE_S
        self.refused = False

    def __call__(self, done: int, total: int) -> None:
        """Report progress: to local listeners at once, to the server every few seconds.

        If the server refuses the artifact, the stage goes on; a warning is logged once.
        """
        emit(Progressed(self.description, done, total))
        if time.monotonic() > self.due or (done >= total and self.artifact is not None):
            self.due = time.monotonic() + self._tell_server(100.0 * done / max(total, 1))

    def _tell_server(self, percent: float) -> float:
        """Update the server's artifact; return the seconds to wait before the next update."""
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # work waits for this
                self._show(percent)
        except REFUSALS as error:
            if not self.refused:
                get_run_logger().warning("no progress in Prefect's UI: %s", error)
            self.refused = True
            return AFTER_REFUSAL_S
        return UPDATE_S

    def _show(self, percent: float) -> None:
        if self.artifact is None:
            self.artifact = show("progress", percent, self.description)
        else:
            change(self.artifact, percent)
