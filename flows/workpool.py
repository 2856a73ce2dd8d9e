"""Run the parts of a campaign as deployments, on the workers of a work pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run as this_run

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.outcome import MethodOutcome
from backhaul.errors import InputError
from blocks.patience import await_prefect
from flows.ends import Awaited, await_ends, schedule
from flows.states import outcome_of

INITIAL_TRAINING = "initial-training/initial-training"
METHOD = "method/method"
DEFAULT = "default"
"""A pool's own queue, for runs that a person starts; the others are one a GPU."""


@dataclass(frozen=True)
class Child:
    """A deployment run that is started once for each run of its parent.

    Args:
        deployment: ``flow/deployment``.
        name: Of the flow run.
        parameters: As JSON data.
        tags: Tags of the run.
        turn: What of its parent it belongs to; it is started once for each.
    """

    deployment: str
    name: str
    parameters: Mapping[str, Any]
    tags: tuple[str, ...]
    turn: str = ""


def begin(config: CampaignConfig) -> MethodOutcome:
    """Run the initial training on a worker, and return how it ended."""
    parameters = {"config": config.model_dump(mode="json")}
    name = f"initial-training-{config.name}"
    child = Child(INITIAL_TRAINING, name, parameters, (config.name,))
    return run_children({name: child})[name]


def play(
    config: CampaignConfig, labels: Iterable[str], turn: str = ""
) -> dict[str, MethodOutcome]:
    """Run methods on workers, spread over the queues, and return how each ended.

    One that is over is not run again for the same parent and `turn`.

    Args:
        config: The campaign.
        labels: Labels of the methods.
        turn: Tells apart several calls of one parent run.
    """
    dumped = config.model_dump(mode="json")
    return run_children(
        {
            label: Child(
                METHOD,
                f"{config.name}-{label}",
                {"config": dumped, "label": label},
                (config.name, label),
                turn,
            )
            for label in labels
        }
    )


def run_children(children: Mapping[str, Child]) -> dict[str, MethodOutcome]:
    """Start the children that do not exist yet, wait for all, and return how each ended.

    A child of an earlier start of the same parent is taken up again: one that is over stays
    over, and one that failed is scheduled once more.

    Raises:
        InputError: If a deployment is missing.
    """
    with get_client(sync_client=True) as client:
        queues = {d: _queues(client, d) for d in {c.deployment for c in children.values()}}
        order = {deployment: cycle(names) for deployment, names in queues.items()}
        started = {
            name: _start(client, child, next(order[child.deployment]))
            for name, child in children.items()
        }
        awaited = {run.id: Awaited.of(name, run) for name, run in started.items()}
        return await_ends(client, awaited)


def _queues(client: SyncPrefectClient, deployment: str) -> list[str | None]:
    """Return the queues, one a GPU, of a deployment's pool that a worker polls."""
    try:
        pool = client.read_deployment_by_name(deployment).work_pool_name
    except ObjectNotFound:
        raise InputError(
            f"the Prefect server has no deployment {deployment}: make it with "
            "`prefect --no-prompt deploy --all`"
        ) from None
    if pool is None:
        raise InputError(f"deployment {deployment}: has no work pool: deploy it again")
    queues = [q for q in client.read_work_queues(work_pool_name=pool) if not q.is_paused]
    polled = [q for q in queues if q.status == "READY"]
    if not polled:
        get_run_logger().warning("no worker polls work pool %s: runs wait until one does", pool)
    own = sorted(q.name for q in polled or queues if q.name != DEFAULT)
    return [*own] or [None]


@await_prefect
def _start(client: SyncPrefectClient, child: Child, queue: str | None) -> FlowRun:
    found: Any = run_deployment(
        child.deployment,
        parameters=dict(child.parameters),
        flow_run_name=child.name,
        timeout=0,
        tags=child.tags,
        idempotency_key=f"{this_run.root_flow_run_id}:{child.turn}:{child.name}",
        work_queue_name=queue,
    )
    run: FlowRun = client.read_flow_run(found.id)
    state = run.state
    if state is not None and state.is_final() and outcome_of(state).state != "completed":
        get_run_logger().info("%s was %s: once more", child.name, state.name)
        schedule(client, run)
    return run
