"""Cancel the child runs of a cancelled parent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import Flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Cancelling


def cancel_children(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Cancel all runs below a parent that are not over; a hook for its cancellation.

    Args:
        flow: The flow of the parent; not used.
        flow_run: The cancelled parent.
        state: Its state; not used.
    """
    with get_client(sync_client=True) as client:
        _cancel_below(client, flow_run)


def end_here(flow_run: str) -> None:
    """Note that a flow run, and what ran with it in this process, ends; workers go on."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(flow_run))
        client.set_flow_run_state(run.id, Cancelled(), force=True)
        _cancel_below(client, run, workers=False)


def _cancel_below(client: SyncPrefectClient, parent: FlowRun, workers: bool = True) -> None:
    below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent.id]))
    for child in client.read_flow_runs(flow_run_filter=below):
        if child.state is None or child.state.is_final():
            continue
        if child.deployment_id is None:  # it ran in the process of its parent, which is gone
            client.set_flow_run_state(child.id, Cancelled(), force=True)
            _cancel_below(client, child, workers)
        elif workers:
            waiting = child.state.is_scheduled()
            new: State[Any] = Cancelled() if waiting else Cancelling()
            client.set_flow_run_state(child.id, new, force=waiting)
