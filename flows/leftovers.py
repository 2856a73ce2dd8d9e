"""What a flow run had in its process, which is gone: subflows, tasks, and its number."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.runtime import flow_run as this_run
from prefect.states import Crashed

from blocks.patience import await_prefect

GOING_ON = [StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED]


def end_leftovers() -> None:
    """End what an earlier process of this flow run had begun: this one begins it anew."""
    if (this_run.run_count or 1) > 1:
        with get_client(sync_client=True) as client:
            end_below(client, UUID(this_run.id), Crashed(message="its process was lost"))


@await_prefect
def forget_process(client: SyncPrefectClient, run: UUID) -> None:
    """Let a rescheduled flow run be as one that has never had a process.

    The server would wait for that to end where somebody cancels the run.

    Args:
        client: Client of the Prefect server.
        run: The flow run.
    """
    client.request(
        *("PATCH", "/flow_runs/{id}"),
        path_params={"id": run},
        json={"infrastructure_pid": None},
    )


@await_prefect
def end_below(client: SyncPrefectClient, run: UUID, state: State[Any]) -> None:
    """Set the final state of all that went on in the process of a flow run.

    What it started on workers goes on.

    Args:
        client: Client of the Prefect server.
        run: The flow run; its own state stays.
        state: The final state.
    """
    children = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=GOING_ON)),
        )
    )
    for child in children:
        if child.deployment_id is None:
            end_below(client, child.id, state)
            client.set_flow_run_state(child.id, _copy(state), force=True)
    tasks = client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])),
        task_run_filter=TaskRunFilter(
            state=TaskRunFilterState(type=TaskRunFilterStateType(any_=GOING_ON))
        ),
    )
    stand_for_flows = {child.parent_task_run_id for child in children}
    for task in tasks:
        if task.id not in stand_for_flows:
            client.set_task_run_state(task.id, _copy(state), force=True)


def _copy(state: State[Any]) -> State[Any]:
    """Return a state that no run has had."""
    return State(type=state.type, name=state.name, message=state.message)
