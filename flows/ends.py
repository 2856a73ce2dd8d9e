"""Wait for flow runs on workers; one whose flow could not even begin is started again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from backhaul.campaign.outcome import MethodOutcome
from backhaul.events import Elsewhere, MethodEnded, emit, within
from blocks.patience import await_prefect
from flows.states import outcome_of
from tasks.logs import logger

CRASHED = "Crashed"
POLL_S = 3.0
STARTS = 3
"""How often a process may end before its flow begins, until its run has failed."""
REPORTED_S = 30.0
"""How long a worker may go on to report such an end; it would end a new start as well."""


@dataclass
class Awaited:
    """A flow run that is waited for.

    Args:
        name: What its outcome is returned by.
        begun: How often its flow had begun before.
        starts: How many starts it has, the present one among them.
    """

    name: str
    begun: int = 0
    starts: int = STARTS
    _crash: UUID | None = field(default=None, init=False)
    _seen_at: float = field(default=0.0, init=False)
    _reported: str = field(default="", init=False)

    @classmethod
    def of(cls, name: str, run: FlowRun) -> Awaited:
        """Return the flow run to wait for, which may have begun already."""
        state = run.state
        is_yet_to_begin = (
            state is None or state.is_scheduled() or state.is_pending() or state.is_final()
        )
        return cls(name, run.run_count if is_yet_to_begin else run.run_count - 1)

    def tell(self, state: State) -> None:
        """Emit an event if the state of the run has changed."""
        if (name := state.name or "") != self._reported:
            self._reported = name
            with within(self.name):
                emit(Elsewhere(name))

    def awaits_a_start(self, run: FlowRun, state: State) -> bool:
        """Return whether its process ended before its flow began, and may be started again.

        A process that starts while the server is away ends at once: Prefect repeats only the
        requests of a client that was connected before. A crash under another name is none of a
        process: perhaps no worker is there (deployments/automations.py).
        """
        crashed = state.is_crashed() and state.name == CRASHED
        return crashed and run.run_count == self.begun and self.starts > 1

    def start_again(self, client: SyncPrefectClient, run: FlowRun, state: State) -> None:
        """Start the run again once its worker no longer reports its last end.

        Args:
            client: Client of the Prefect server.
            run: The flow run.
            state: The state in which it ended.
        """
        now = time.monotonic()
        if state.id != self._crash:
            self._crash, self._seen_at = state.id, now
            logger().warning(
                "%s: ended before it began (%s); it is started again in %.0f s",
                run.name,
                state.message,
                REPORTED_S,
            )
        elif now - self._seen_at > REPORTED_S:
            self.starts -= 1
            schedule(client, run)


@await_prefect
def schedule(client: SyncPrefectClient, run: FlowRun) -> None:
    """Reschedule a finished flow run, unless it was rescheduled meanwhile."""
    state = client.read_flow_run(run.id).state
    if state is not None and run.state is not None and state.id == run.state.id:
        client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry"), force=True)


def await_ends(
    client: SyncPrefectClient, awaited: Mapping[UUID, Awaited]
) -> dict[str, MethodOutcome]:
    """Return how flow runs ended, by their names, once all have."""
    ended: dict[str, MethodOutcome] = {}
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=list(awaited)))
    while True:
        runs = await_prefect(client.read_flow_runs)(flow_run_filter=chosen)
        for gone in awaited.keys() - {run.id for run in runs}:
            ended[awaited[gone].name] = MethodOutcome(
                state="failed", error="its flow run was deleted"
            )
        for run in runs:
            one, state = awaited[run.id], run.state
            if state is not None:
                one.tell(state)
            if one.name in ended or state is None or not state.is_final():
                continue
            if one.awaits_a_start(run, state):
                with suppress(ObjectNotFound):  # deleted just now, as the next look will tell
                    one.start_again(client, run, state)
            else:
                ended[one.name] = outcome_of(state)
                with within(one.name):
                    emit(MethodEnded(ended[one.name].state))
                logger().info("%s: %s %s", one.name, state.name, state.message or "")
        if len(ended) == len(awaited):
            return {one.name: ended[one.name] for one in awaited.values()}
        time.sleep(POLL_S)
