"""How far a long stage is: for the terminal, and as a Prefect progress artifact."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

Sink: TypeAlias = Callable[[str, int, int], None]
"""Called with what is going on, how much is done, and how much there is."""

terminal: ContextVar[Sink | None] = ContextVar("terminal", default=None)

UPDATE_S = 5.0
"""Seconds between two updates of an artifact: each is a request to the server."""


class Progress:
    """Progress of one stage; call it with (done, total)."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.artifact: UUID | None = None
        self.updated = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Tell the terminal at once, and the server every few seconds and at the end."""
        if (sink := terminal.get()) is not None:
            sink(self.description, done, total)
        late = time.monotonic() - self.updated > UPDATE_S
        if late or (done >= total and self.artifact is not None):
            self._tell_server(100.0 * done / max(total, 1))

    def _tell_server(self, percent: float) -> None:
        self.updated = time.monotonic()
        if self.artifact is None:
            created = create_progress_artifact(percent, description=self.description)
            assert isinstance(created, UUID)  # noqa: S101 - called from synchronous code
            self.artifact = created
        else:
            update_progress_artifact(self.artifact, percent)
