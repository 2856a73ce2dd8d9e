"""Give a worker's slot back, in place of holding it while another process does the work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import Pause
from prefect.runtime import flow_run as this_run
from prefect.states import Cancelled, Scheduled

from backhaul.storage.holder import Holder
from backhaul.storage.lease import OnWait
from blocks.patience import await_prefect
from flows.leftovers import end_below, forget_process
from tasks.stage import told_of_waits

REST_S = 60.0
"""Seconds until a run that gave its slot back looks again. A worker fetches runs ten seconds
early, and must have noticed by then that the process before has ended."""
PATIENCE_S = 20.0
"""Seconds that a run waits for a stage of another: most are over before."""
OF_A_WORKER = "PREFECT__FLOW_RUN_ID"
"""Names the flow run that a worker started a process for; a person's process has none."""


def wait_or_give_way(what: str) -> OnWait:
    """Return what waits for a lease in a person's process, and gives a worker's slot back.

    Args:
        what: What goes on elsewhere, for the log.
    """

    def on_wait(holder: Holder, waited_s: float) -> None:
        if not waited_s:
            get_run_logger().warning("%s goes on in %s: this one waits for it", what, holder)
            give_way(holder)

    return on_wait


@contextmanager
def impatient() -> Iterator[None]:
    """Meanwhile, a run on a worker gives its slot back where a stage takes another long.

    One that is a part of another in the same process waits: it would send that one away.
    """
    if this_run.id != os.environ.get(OF_A_WORKER):
        yield
        return

    def on_wait(holder: Holder, waited_s: float) -> None:
        if waited_s > PATIENCE_S:
            give_way(holder)

    with told_of_waits(on_wait):
        yield


def give_way(holder: Holder) -> None:
    """Reschedule the flow run of this process, and end it; what it has computed is cached.

    Does nothing where no worker waits for this process, where other threads of it are at work,
    or where the holder may be gone: its lease can only be taken over by one that watches it.

    Args:
        holder: The process that this one waits for.

    Raises:
        Pause: To end the run, which is not over.
    """
    started_for = os.environ.get(OF_A_WORKER)
    alone = threading.current_thread() is threading.main_thread()
    if not started_for or not alone or not holder.seems_alive:
        return
    text = f"waits for {holder}, and gives its slot back; it looks again in {REST_S:.0f} s"
    later = datetime.now(UTC) + timedelta(seconds=REST_S)
    state: State[Any] = Scheduled(name="AwaitingRetry", message=text, scheduled_time=later)
    run = UUID(started_for)
    with get_client(sync_client=True) as client:
        answer = await_prefect(client.set_flow_run_state)(run, state)
        if answer.status != SetStateStatus.ACCEPT:
            return  # it is being cancelled, for example
        end_below(client, run, Cancelled(message=text))
        forget_process(client, run)
    get_run_logger().warning("%s", text)
    raise Pause(text, state=answer.state)
