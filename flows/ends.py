"""Wait for flow runs on workers; one whose process or machine was lost is started again."""

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
from prefect.states import Crashed, Scheduled

from backhaul.campaign.outcome import MethodOutcome
from backhaul.events import Elsewhere, MethodEnded, emit, within
from blocks.patience import await_prefect
from flows.leftovers import end_below, forget_process
from flows.states import outcome_of
from tasks.logs import logger

POLL_S = 3.0
REPORTED_S = 30.0
"""How long a worker may go on to report such an end; it would end a new start as well."""
DELETED = MethodOutcome(state="failed", error="its flow run was deleted")


@dataclass
class Awaited:
    """A flow run that is waited for.

    Args:
        name: What its outcome is returned by.
        restarts: How often it may still be started again after its process was lost.
    """

    name: str
    restarts: int
    outcome: MethodOutcome | None = field(default=None, init=False)
    """How it ended, unless somebody has started it again since."""
    _looked_at: UUID | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    _reported: str = field(default="", init=False)

    def look(self, client: SyncPrefectClient, run: FlowRun, state: State) -> None:
        """Note how the run stands, and start it again if its process was lost.

        Args:
            client: Client of the Prefect server.
            run: The flow run.
            state: Its state.
        """
        self._tell(state)
        if not state.is_final():
            self.outcome = None  # perhaps a person has retried it
            return
        seen_before = state.id == self._looked_at
        if not seen_before:
            self._looked_at, self._since = state.id, time.monotonic()
            if state.is_crashed():
                end_below(client, run.id, Crashed(message="its process was lost"))
        if state.is_crashed() and self.restarts:
            self.outcome = None
            self._start_again(client, run, state, seen_before)
        elif not seen_before or self.outcome is None:
            self._end(state)

    def _start_again(
        self, client: SyncPrefectClient, run: FlowRun, state: State, seen_before: bool
    ) -> None:
        """Start the run again once its worker no longer reports its last end."""
        if not seen_before:
            logger().warning(
                "%s: its process or machine was lost (%s); it is started again in %.0f s",
                run.name,
                state.message or state.name,
                REPORTED_S,
            )
        elif time.monotonic() - self._since > REPORTED_S:
            self.restarts -= 1
            with suppress(ObjectNotFound):  # deleted just now, as the next look will tell
                schedule(client, run)

    def _end(self, state: State) -> None:
        self.outcome = outcome_of(state)
        with within(self.name):
            emit(MethodEnded(self.outcome.state))
        logger().info("%s: %s %s", self.name, state.name, state.message or "")

    def _tell(self, state: State) -> None:
        """Emit an event if the state of the run has changed."""
        if (name := state.name or "") != self._reported:
            self._reported = name
            with within(self.name):
                emit(Elsewhere(name))


@await_prefect
def schedule(client: SyncPrefectClient, run: FlowRun) -> None:
    """Reschedule a finished flow run, unless it was rescheduled meanwhile."""
    state = client.read_flow_run(run.id).state
    if state is not None and run.state is not None and state.id == run.state.id:
        forget_process(client, run.id)
        client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry"), force=True)


def await_ends(
    client: SyncPrefectClient, awaited: Mapping[UUID, Awaited]
) -> dict[str, MethodOutcome]:
    """Return how flow runs ended, by their names, once all are over at the same time.

    One that a person retries meanwhile is waited for again.
    """
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=list(awaited)))
    while True:
        runs = await_prefect(client.read_flow_runs)(flow_run_filter=chosen)
        for gone in awaited.keys() - {run.id for run in runs}:
            awaited[gone].outcome = DELETED
        for run in runs:
            if run.state is not None:
                awaited[run.id].look(client, run, run.state)
        outcomes = {one.name: one.outcome for one in awaited.values()}
        ended = {name: outcome for name, outcome in outcomes.items() if outcome}
        if len(ended) == len(outcomes):
            return ended
        time.sleep(POLL_S)
