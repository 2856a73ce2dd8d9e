"""Queues of work pools on a real server, and which one a campaign's runs go to."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from flows import workpool
from flows.server.queues import ensure_queues

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

CAMPAIGN: dict[str, Any] = {
    "name": "queued",
    "data": {"kind": "digits"},
    "bandwidth": {"images": 3},
    "methods": ["true-random"],
}
INBOX: dict[str, Any] = {
    "data": {"kind": "inbox"},
    "initial": {"data": {"kind": "folder", "root": "/data"}},
}


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        for name in ("cpu", "gpu"):
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        yield client
        for name in ("cpu", "gpu"):
            client.delete_work_pool(name)


def order(client: SyncPrefectClient, pool: str) -> list[tuple[str, int | None]]:
    queues = client.read_work_queues(work_pool_name=pool)
    return [
        (queue.name, queue.concurrency_limit)
        for queue in sorted(queues, key=lambda queue: queue.priority or 0)
    ]


ORDER = [("hours", None), ("gpu-0", None), ("gpu-1", None), ("default", None)]


def test_hours_come_first_and_what_may_run_anywhere_comes_last(
    client: SyncPrefectClient,
) -> None:
    ensure_queues(client, 2)
    assert order(client, "cpu") == [("hours", None), ("default", None)]
    assert order(client, "gpu") == ORDER
    ensure_queues(client, 2)
    assert order(client, "gpu") == ORDER


def test_queues_of_an_earlier_version_lose_their_limits(client: SyncPrefectClient) -> None:
    for name in ("gpu-0", "gpu-1"):
        client.create_work_queue(name, concurrency_limit=1, work_pool_name="gpu")
    ensure_queues(client, 2)
    assert order(client, "gpu") == ORDER


@pytest.fixture
def deployed(client: SyncPrefectClient) -> SyncPrefectClient:
    """The deployment `method`, of a flow that does nothing."""

    @flow(name="method")
    def method(config: dict[str, Any], label: str) -> None:
        """Never runs: no worker is there."""

    flow_id = client.create_flow(method)
    client.create_deployment(
        flow_id,
        "method",
        work_pool_name="gpu",
        parameter_openapi_schema={"type": "object", "properties": {}},
    )
    return client


def queue_of(client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> str:
    """Return the queue that a campaign's method goes to; it is never waited for."""
    begun: list[FlowRun] = []

    def begin(client: SyncPrefectClient, awaited: Any) -> dict[str, Any]:
        begun.extend(client.read_flow_run(run) for run in awaited)
        return {}

    monkeypatch.setattr(workpool, "await_ends", begin)

    @flow
    def parent() -> State[None]:
        workpool.play(CampaignConfig.model_validate(CAMPAIGN | changes), ["true-random"])
        return Completed()

    parent()
    return str(begun[0].work_queue_name)


def is_ready(client: SyncPrefectClient, name: str) -> bool:
    queues = client.read_work_queues(work_pool_name="gpu")
    return any(queue.name == name and queue.status == "READY" for queue in queues)


def poll(client: SyncPrefectClient, name: str) -> None:
    """Ask for work as a worker does, and wait until the server has noted it."""
    values = {"work_queue_names": [name]}
    client._client.post("/work_pools/gpu/get_scheduled_flow_runs", json=values)
    deadline = time.monotonic() + 30
    while not is_ready(client, name):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_asks_for_no_queue_goes_to_whoever_is_free(
    deployed: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_queues(deployed, 2)
    assert queue_of(deployed, monkeypatch) == "default"
    assert queue_of(deployed, monkeypatch, queue="gpu-1") == "gpu-1"
    assert queue_of(deployed, monkeypatch, **INBOX) == "hours"
    assert queue_of(deployed, monkeypatch, queue="gpu-1", **INBOX) == "gpu-1"
    with pytest.raises(InputError, match=r"no queue 'gpu-7', expected one of default, gpu-0"):
        queue_of(deployed, monkeypatch, queue="gpu-7")


def test_hours_do_not_wait_for_workers_that_do_not_know_their_queue(
    deployed: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were started before there was one, and go on to poll what they did."""
    assert queue_of(deployed, monkeypatch, **INBOX) == "default"
    ensure_queues(deployed, 1)
    poll(deployed, "default")
    assert queue_of(deployed, monkeypatch, **INBOX) == "default"
    poll(deployed, "hours")
    assert queue_of(deployed, monkeypatch, **INBOX) == "hours"
