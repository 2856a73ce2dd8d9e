"""Checks of the Prefect server and of what the flows need on it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx
import prefect
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import WorkerStatus, WorkQueue, WorkQueueStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL

from backhaul.health.check import Answer, failed, not_asked, ok, warning
from backhaul.health.clock import compare_clocks
from flows.server.queues import DEFAULT, HOURS

HEARTBEATS = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30"
DEPLOYMENTS = (
    *("initial-training", "campaign", "method", "hourly", "triggers", "decide", "fleet"),
    "analyze",
)
"""Those of prefect.yaml."""
SCHEDULED = "hourly"
_REQUEST_S = 5.0
_UNAUTHORIZED = 401
_SERVERS_LOGIN = "PREFECT_SERVER_API_AUTH_STRING"


@dataclass(frozen=True)
class Server:
    """Address and credentials of a Prefect API."""

    url: str
    auth_string: str | None
    api_key: str | None

    @property
    def shown(self) -> str:
        """The address without a password that it may have."""
        return str(httpx.URL(self.url).copy_with(userinfo=b""))

    def client(self) -> SyncPrefectClient:
        """Return a client for a few short questions."""
        return SyncPrefectClient(
            self.url,
            auth_string=self.auth_string,
            api_key=self.api_key,
            httpx_settings={"timeout": _REQUEST_S},
        )


def configured_server() -> Server | None:
    """Return the server configured by environment or profile; None = local mode."""
    url = PREFECT_API_URL.value()
    if not url:
        return None
    return Server(url, PREFECT_API_AUTH_STRING.value(), PREFECT_API_KEY.value())


def check_no_server(execution: str | None) -> Answer:
    """Say what it means that no server is configured."""
    if execution == "work-pool":
        return failed(
            "execution is work-pool, and no server is configured",
            "export PREFECT_API_URL=http://SERVER:4200/api",
        )
    return not_asked("local mode: a temporary server is started by backhaul run")


def check_api(server: Server) -> Answer:
    """Say whether a Prefect API answers at the address."""
    with server.client() as client:
        error = client.api_healthcheck()
    if error is None:
        return ok(server.shown)
    if isinstance(error, httpx.HTTPStatusError):
        return failed(
            f"{server.shown}: answers, but not as a Prefect API ({_status(error)})",
            "export PREFECT_API_URL=http://SERVER:4200/api  (it ends in /api)",
        )
    return failed(
        f"{server.shown}: {str(error) or type(error).__name__}",
        "prefect server start, or export PREFECT_API_URL=http://SERVER:4200/api",
    )


def check_auth(server: Server) -> Answer:
    """Say whether the server lets us in."""
    try:
        with server.client() as client:
            client.api_version()
    except PrefectHTTPStatusError as error:
        if _status(error) != _UNAUTHORIZED:
            raise
        given = "is not the server's" if server.auth_string else "is not set"
        return failed(
            f"the server asks for authentication, and PREFECT_API_AUTH_STRING {given}",
            "export PREFECT_API_AUTH_STRING=...  (the server's PREFECT_SERVER_API_AUTH_STRING)",
        )
    if _lets_everybody_in(server):
        return _without_login(server)
    return ok("accepted")


def _lets_everybody_in(server: Server) -> bool:
    answer = httpx.get(f"{server.url.rstrip('/')}/admin/version", timeout=_REQUEST_S)
    return answer.is_success


def _without_login(server: Server) -> Answer:
    """Say that a server is open to all: what runs there is code, on all its workers."""
    remedy = f"set {_SERVERS_LOGIN}=NAME:PASSWORD where the server starts, and restart it"
    if os.environ.get(_SERVERS_LOGIN) == "":
        return failed(f"{_SERVERS_LOGIN} is empty: the server lets everybody in", remedy)
    if server.auth_string:
        return failed("a login is given here, and the server lets everybody in without", remedy)
    return warning("none asked for: whoever reaches the server may run code", remedy)


def check_version(server: Server) -> Answer:
    """Compare the server's version of Prefect with ours."""
    with server.client() as client:
        version = client.api_version()
    if version == prefect.__version__:
        return ok(f"{version}, as here")
    return failed(
        f"{version} on the server, {prefect.__version__} here",
        f"on the server: python -m pip install prefect=={prefect.__version__}, then restart it",
    )


def check_clock(server: Server) -> Answer:
    """Compare the server's clock with ours."""
    with server.client() as client:
        return compare_clocks(lambda: client.hello().headers["date"])


def check_pool(server: Server, name: str) -> Answer:
    """Say whether a work pool is there, running, and served by workers."""
    with server.client() as client:
        try:
            pool = client.read_work_pool(name)
        except ObjectNotFound:
            return failed("does not exist", f"prefect work-pool create {name} --type process")
        queues = client.read_work_queues(name)
        workers = client.read_workers_for_work_pool(name)
    online = sorted(each.name for each in workers if each.status == WorkerStatus.ONLINE)
    if pool.is_paused:
        return failed("is paused", f"prefect work-pool resume {name}")
    if not online:
        gone = f"no worker is online ({len(workers)} offline)"
        return failed(gone, _worker_command(name, _without_worker(queues)))
    return _check_queues(name, queues, f"{len(online)} online: {', '.join(online)}")


def _check_queues(pool: str, queues: Sequence[WorkQueue], found: str) -> Answer:
    """Say whether runs of all queues of a pool go on; `found` tells of its workers."""
    if paused := sorted(each.name for each in queues if each.is_paused):
        commands = "; ".join(f"prefect work-queue resume {each} -p {pool}" for each in paused)
        return failed(f"paused queues: {', '.join(paused)}", commands)
    if idle := _without_worker(queues):
        missing = f"{found}; no worker polls {', '.join(idle)}"
        return warning(missing, _worker_command(pool, idle))
    if HOURS not in {each.name for each in queues}:
        return warning(
            f"{found}; there is no queue {HOURS}, so hours wait with all else",
            "python -m flows.server.queues GPUS  (GPUS: how many; then restart the workers)",
        )
    return ok(found)


def _without_worker(queues: Sequence[WorkQueue]) -> list[str]:
    """Return the queues whose runs would wait."""
    return sorted(each.name for each in queues if each.status == WorkQueueStatus.NOT_READY)


def _worker_command(pool: str, queues: Iterable[str]) -> str:
    """Return what starts the workers that poll queues, as all of `deployments` starts them.

    Without heartbeats, flow runs whose machine is lost would stay Running.
    """
    if pool == "gpu":
        named = [each.removeprefix("gpu-") for each in queues if each.startswith("gpu-")]
        commands = [
            f"CUDA_VISIBLE_DEVICES={number} {_start(pool, HOURS, f'gpu-{number}', DEFAULT)} "
            "--limit 1"
            for number in named or ["0"]
        ]
    else:  # hours have a worker of their own, which no campaign fills
        commands = [f"{_start(pool, queue)} --limit 4" for queue in queues]
    return f"{'; '.join(commands)}  (or all of a machine: make up)"


def _start(pool: str, *queues: str) -> str:
    polled = "".join(f" --work-queue {queue}" for queue in queues)
    return f"{HEARTBEATS} prefect worker start --type process --pool {pool}{polled}"


def check_deployments(server: Server) -> Answer:
    """Say whether the flows are deployed."""
    with server.client() as client:
        there = {each.name: each for each in client.read_deployments()}
    missing = [name for name in DEPLOYMENTS if name not in there]
    if missing:
        return failed(
            f"missing: {', '.join(missing)}",
            "prefect --no-prompt deploy --all  (in the checkout)",
        )
    off = not any(schedule.active for schedule in there[SCHEDULED].schedules)
    return ok(", ".join(DEPLOYMENTS) + (f"; {SCHEDULED} has no active schedule" if off else ""))


def _status(error: httpx.HTTPStatusError) -> int:
    return error.response.status_code
