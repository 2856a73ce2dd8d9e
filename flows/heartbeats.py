"""Heartbeats of flow runs, by which a server knows that their process is alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings


@contextmanager
def of_this_run_alone() -> Iterator[None]:
    """Disable heartbeats of the flow runs that start in the block, in this process.

    That of the run around them tells as much, and each costs a second: Prefect waits for its
    thread to wake up.
    """
    if PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
