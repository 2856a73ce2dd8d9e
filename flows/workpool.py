"""Run the parts of a campaign as deployments, on the workers of a work pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, WorkQueue
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run as this_run

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.outcome import MethodOutcome
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from blocks.patience import await_prefect
from flows.ends import Awaited, await_ends, schedule
from flows.server.queues import HOURS
from flows.states import outcome_of
from tasks.stage import is_thorough

INITIAL_TRAINING = "initial-training/initial-training"
METHOD = "method/method"


@dataclass(frozen=True)
class Child:
    """A deployment run that is started once for each run of its parent.

    Args:
        deployment: ``flow/deployment``.
        name: Of the flow run.
        parameters: As JSON data.
        tags: Tags of the run.
        queue: Queue of the pool whose workers may take it; None = that of the deployment,
            which is `default` unless somebody has set another.
        restarts: How often it is started again after its process or machine was lost.
        turn: What of its parent it belongs to; it is started once for each.
    """

    deployment: str
    name: str
    parameters: Mapping[str, Any]
    tags: tuple[str, ...]
    queue: str | None
    restarts: int
    turn: str = ""


def begin(config: CampaignConfig) -> MethodOutcome:
    """Run the initial training on a worker, and return how it ended."""
    after_losses = is_thorough()
    name = f"initial-training-{config.name}"
    child = Child(
        INITIAL_TRAINING,
        name,
        {"config": config.model_dump(mode="json"), "after_losses": after_losses},
        (config.name,),
        _queue_of(config),
        config.restarts,
        turn="after losses" if after_losses else "",
    )
    return run_children({name: child})[name]


def play(
    config: CampaignConfig, labels: Iterable[str], turn: str = ""
) -> dict[str, MethodOutcome]:
    """Run methods on whichever workers are free, and return how each ended.

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
                _queue_of(config),
                config.restarts,
                turn,
            )
            for label in labels
        }
    )


def _queue_of(config: CampaignConfig) -> str | None:
    return config.queue or (HOURS if isinstance(config.data, InboxData) else None)


def run_children(children: Mapping[str, Child]) -> dict[str, MethodOutcome]:
    """Start the children that do not exist yet, wait for all, and return how each ended.

    A child of an earlier start of the same parent is taken up again: one that is over stays
    over, and one that failed is scheduled once more.

    Raises:
        InputError: If a deployment is missing, or a queue.
    """
    with get_client(sync_client=True) as client:
        asked = {(child.deployment, child.queue) for child in children.values()}
        queues = {each: _queue(client, *each) for each in asked}
        started = {
            name: _start(client, child, queues[child.deployment, child.queue])
            for name, child in children.items()
        }
        awaited = {
            run.id: Awaited(name, children[name].restarts) for name, run in started.items()
        }
        return await_ends(client, awaited)


def _queue(client: SyncPrefectClient, deployment: str, wanted: str | None) -> str | None:
    """Return the queue to use of a deployment's pool; None = the deployment's own."""
    pool = _pool(client, deployment)
    queues = {queue.name: queue for queue in client.read_work_queues(work_pool_name=pool)}
    polled = [name for name, queue in queues.items() if queue.status == "READY"]
    if not polled:
        get_run_logger().warning("no worker polls work pool %s: runs wait until one does", pool)
    if wanted == HOURS and not _is_served(queues.get(HOURS), polled):
        get_run_logger().warning(
            "no worker polls queue %s of work pool %s: its runs wait with all others",
            *(HOURS, pool),
        )
        return None
    if wanted is not None and wanted not in queues:
        raise InputError(
            f"queue: work pool {pool} has no queue {wanted!r}, expected one of "
            f"{', '.join(sorted(queues))}"
        )
    return wanted


def _is_served(queue: WorkQueue | None, polled: list[str]) -> bool:
    """Return whether the workers poll a queue, as far as there are any.

    They do not where they were started before there was this queue.
    """
    return queue is not None and (queue.status != "NOT_READY" or not polled)


def _pool(client: SyncPrefectClient, deployment: str) -> str:
    try:
        pool = client.read_deployment_by_name(deployment).work_pool_name
    except ObjectNotFound:
        raise InputError(
            f"the Prefect server has no deployment {deployment}: make it with "
            "`prefect --no-prompt deploy --all`"
        ) from None
    if pool is None:
        raise InputError(f"deployment {deployment}: has no work pool: deploy it again")
    return pool


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
