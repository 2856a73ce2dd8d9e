"""Start the hour of a run as a deployment, once, however often that is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.triggers.decisions import Decisions

AT_WORK = [StateType.RUNNING, StateType.PENDING]
AGAIN_AFTER = timedelta(hours=1)
"""How long after an hour failed it is started again: as long as between two of a schedule."""


def start_hour(config: CampaignConfig, decisions: Decisions, deployment: str) -> str:
    """Start an hour unless one goes on or is about to begin, and return what was done.

    The start is known by a word in the record of decisions, so that two who start at the same
    time start one. One that was cancelled, or whose process was lost, is followed by another.

    Args:
        config: The campaign, which becomes the hour's parameter.
        decisions: The decisions of its triggers.
        deployment: Deployment of the flow `hourly`, as ``FLOW/DEPLOYMENT``.

    Raises:
        InputError: If there is no such deployment.
    """
    with get_client(sync_client=True) as client:
        if _is_at_work(client, deployment):
            return f"an hour of {deployment} goes on; it is asked again later"
        start = decisions.start()
        run = _started(client, config, deployment, start)
        if _failed_just_now(run):
            return f"{run.name} failed, and is started again after {AGAIN_AFTER}"
        if run.state is not None and run.state.is_final():
            start = decisions.start(after=start)
            run = _started(client, config, deployment, start)
        return f"started {deployment}: {run.name}"


def _is_at_work(client: SyncPrefectClient, deployment: str) -> bool:
    try:
        found = client.read_deployment_by_name(deployment)
    except (ObjectNotFound, ValueError):
        raise InputError(
            f"the Prefect server has no deployment {deployment}: make it with "
            "`prefect --no-prompt deploy --all`"
        ) from None
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[found.id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=AT_WORK))
        ),
        limit=1,
    )
    return bool(runs)


def _started(
    client: SyncPrefectClient, config: CampaignConfig, deployment: str, start: str
) -> FlowRun:
    """Return the flow run of a start, which is made unless it is there."""
    found: Any = run_deployment(
        deployment,
        parameters={"config": config.model_dump(mode="json")},
        flow_run_name=f"hourly-{config.name}-{start[:8]}",
        timeout=0,
        tags=(config.name,),
        idempotency_key=f"backhaul-hour:{start}",
        as_subflow=False,  # it goes on when whoever started it has ended
    )
    return client.read_flow_run(found.id)


def _failed_just_now(run: FlowRun) -> bool:
    state = run.state
    if state is None or not state.is_failed() or state.is_crashed():
        return False
    return datetime.now(UTC) - state.timestamp < AGAIN_AFTER
