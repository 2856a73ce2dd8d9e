"""`backhaul doctor` beside a real server that asks for a password, from bare to complete."""

import json
import os
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backhaul.cli.commands import app
from flows.server import health
from tests.services import asking

pytestmark = pytest.mark.prefect

PASSWORD = "admin:open-sesame-31"  # noqa: S105 - of a server of the tests
HEARTBEATS = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30"
FLOWS = health.DEPLOYMENTS


@dataclass(frozen=True)
class Doctor:
    """The command in this process, with the settings of a server."""

    url: str

    def __call__(self, *arguments: str, auth: str | None = PASSWORD) -> "Findings":
        with asking(self.url, auth):
            ended = CliRunner().invoke(
                app, ["doctor", "--json", *arguments], catch_exceptions=False
            )
        assert "open-sesame" not in ended.output
        return Findings(
            ended.exit_code, {each["name"]: each for each in json.loads(ended.stdout)}
        )


@dataclass(frozen=True)
class Findings:
    code: int
    checks: dict[str, Any]

    def status(self, name: str) -> str:
        return str(self.checks[name]["status"])

    def found(self, name: str) -> str:
        return str(self.checks[name]["found"])

    def remedy(self, name: str) -> str:
        return str(self.checks[name]["remedy"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of our own, which asks for `PASSWORD`."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sysconfig.get_path("scripts")) / "prefect"), "server", "start"]
    environment = os.environ | {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
        "PREFECT_API_AUTH_STRING": PASSWORD,
    }
    url = f"http://127.0.0.1:{port}/api"
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [*command, "--port", str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        _wait_for(f"{url}/health")
        yield url
    finally:
        started.terminate()
        started.wait(30)


def _wait_for(url: str, patience_s: float = 90) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="module")
def doctor(server: str) -> Doctor:
    return Doctor(server)


@pytest.fixture
def client(server: str) -> Iterator[Any]:
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(server, auth_string=PASSWORD) as client:
        yield client


def test_help_has_examples() -> None:
    shown = CliRunner().invoke(app, ["doctor", "--help"])
    assert "backhaul doctor --store s3://" in shown.output.split("Example")[1]


def test_without_a_server_all_is_well_in_local_mode(new_place: Callable[[str], Any]) -> None:
    place = new_place("healthy").without_server()
    ended = place.backhaul("doctor", place.config("tiny"))
    assert ended.code == 0, ended.out + ended.err
    lines = {line[11:28].strip(): line for line in ended.out.splitlines()}
    assert lines["prefect api"].startswith("not asked")
    assert "local mode" in lines["prefect api"]
    for name in ("python", "packages", "config", "data", "store"):
        assert lines[name].startswith("ok "), ended.out
    assert {"gpu", "disk (store)", "disk (cache)", "disk (temporary)", "memory"} <= set(lines)
    assert [path.name for path in place.folder.iterdir()] == ["tiny.yaml"]


def test_a_wrong_config_is_wrong_input(new_place: Callable[[str], Any]) -> None:
    place = new_place("wrong").without_server()
    config = place.config("wrong", bandwidth__images=-3)
    assert "bandwidth.images" in place.backhaul("doctor", config).one_error()


def test_a_work_pool_needs_a_server(new_place: Callable[[str], Any]) -> None:
    place = new_place("pooled").without_server()
    ended = place.backhaul("doctor", place.config("pooled", execution="work-pool"), "--json")
    assert ended.code == 1, ended.err
    (api,) = (each for each in json.loads(ended.out) if each["name"] == "prefect api")
    assert api["status"] == "failed"
    assert "export PREFECT_API_URL" in api["remedy"]


@pytest.mark.parametrize("auth", [pytest.param(None, marks=pytest.mark.slow), "admin:wrong"])
def test_a_password_that_is_missing_or_wrong_is_told(doctor: Doctor, auth: str | None) -> None:
    findings = doctor(auth=auth)
    assert findings.code == 1
    assert findings.status("prefect api") == "ok"
    assert findings.status("prefect auth") == "failed"
    assert ("is not set" in findings.found("prefect auth")) == (auth is None)
    assert "export PREFECT_API_AUTH_STRING" in findings.remedy("prefect auth")
    for name in ("prefect version", "clock (server)", "work pool cpu", "deployments"):
        assert findings.status(name) == "not asked"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://user:open-sesame-31@127.0.0.1:1/api", "refused"),
        ("{server}/nowhere", "not as a Prefect API (40"),
    ],
)
def test_a_server_that_is_not_there_holds_nothing_up(server: str, url: str, told: str) -> None:
    start = time.monotonic()
    findings = Doctor(url.format(server=server))()
    assert time.monotonic() - start < 15
    assert findings.code == 1
    assert told in findings.found("prefect api")
    assert "export PREFECT_API_URL" in findings.remedy("prefect api")
    assert findings.status("prefect auth") == "not asked"
    assert findings.status("memory") in ("ok", "warning")


@pytest.mark.slow
def test_a_bare_server_gets_what_is_missing(doctor: Doctor, client: Any) -> None:
    bare = doctor()
    assert bare.code == 1
    for name in ("prefect auth", "prefect version", "clock (server)"):
        assert bare.status(name) == "ok", bare.checks[name]
    assert bare.remedy("work pool gpu") == "prefect work-pool create gpu --type process"
    assert "missing: initial-training, campaign" in bare.found("deployments")
    assert bare.remedy("deployments").startswith("prefect --no-prompt deploy --all")

    _set_up(client)
    idle = doctor()
    assert idle.found("work pool cpu") == "no worker is online (0 offline)"
    beats = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 prefect worker start --type process"
    up = "  (or all of a machine: make up)"
    queue = "--work-queue"
    cpu = f"{beats} --pool cpu {queue} {{0}} --limit 4"
    assert idle.remedy("work pool cpu") == "; ".join(map(cpu.format, ("default", "hours"))) + up
    polled = f"{queue} hours {queue} gpu-{{0}} {queue} default"
    gpu = f"CUDA_VISIBLE_DEVICES={{0}} {beats} --pool gpu {polled} --limit 1"
    assert idle.remedy("work pool gpu") == "; ".join(gpu.format(i) for i in (0, 1)) + up
    assert idle.status("deployments") == "ok"

    _work(client, "cpu", "default")
    _work(client, "gpu", "hours", "gpu-0", "default")
    half = doctor()
    assert half.code == 0
    assert "no worker polls hours" in half.found("work pool cpu")
    assert half.remedy("work pool cpu") == cpu.format("hours") + up
    assert half.status("work pool gpu") == "warning"
    assert "no worker polls gpu-1" in half.found("work pool gpu")
    assert half.remedy("work pool gpu") == gpu.format(1) + up

    _work(client, "cpu", "hours")
    _work(client, "gpu", "gpu-1")
    whole = doctor()
    assert whole.status("work pool cpu") == whole.status("work pool gpu") == "ok"

    client.update_work_queue(client.read_work_queues("gpu")[0].id, is_paused=True)
    name = client.read_work_queues("gpu")[0].name
    paused = doctor()
    assert paused.found("work pool gpu") == f"paused queues: {name}"
    assert paused.remedy("work pool gpu") == f"prefect work-queue resume {name} -p gpu"


def test_what_a_server_does_by_itself_is_looked_at(doctor: Doctor, client: Any) -> None:
    from deployments.automations import crash_stuck, crash_zombies, ensure

    bare = doctor()
    assert bare.status("automations") == bare.status("alarm") == "warning"
    assert bare.remedy("automations").startswith("make automations")
    assert bare.remedy("alarm").startswith("BACKHAUL_ALARM_BLOCK=TYPE/NAME make automations")
    for automation in (crash_zombies(), crash_stuck()):
        ensure(client, automation)
    assert doctor().status("automations") == "ok"
    (zombies,) = client.read_automations_by_name(crash_zombies().name)
    client.update_automation(zombies.id, crash_zombies().model_copy(update={"enabled": False}))
    assert f"switched off: {zombies.name}" in doctor().found("automations")


def test_runs_that_wait_for_a_slot_are_counted(doctor: Doctor, client: Any) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.states import Late, Running

    client.create_work_pool(WorkPoolCreate(name="gpu", type="process"), overwrite=True)
    flow = client.create_flow_from_name("method")
    deployment = client.create_deployment(flow, "waits", work_pool_name="gpu")
    began = datetime.now(UTC) - timedelta(hours=1)
    states: tuple[Any, ...] = (Late(scheduled_time=began), Running())
    for state in states:
        client.create_flow_run_from_deployment(deployment, state=state)
    waiting = doctor()
    assert waiting.status("waiting runs") == "warning"
    assert "gpu: 1 running, 1 late; one waits for a slot of gpu since 6" in waiting.found(
        "waiting runs"
    )
    assert "2 flow runs and 0 task runs" in waiting.found("prefect database")


def test_a_database_and_a_store_have_a_size(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prefect.db").write_bytes(b"x" * 40_000_000)
    url = f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}"
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", url)
    objects = tmp_path / "store" / ".backhaul" / "objects" / "ab"
    objects.mkdir(parents=True)
    (objects / "a.pt").write_bytes(b"x" * 20_000_000)
    (tmp_path / "store" / "a.png").write_bytes(b"x" * 30_000_000)
    findings = doctor("--store", str(tmp_path / "store"))
    assert findings.found("prefect database").startswith("0.04 GB, ")
    assert findings.found("store size").startswith("0.05 GB in 2 files, 0.02 GB of them")


def _set_up(client: Any) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate

    from flows.server.queues import ensure_queues

    for name in ("cpu", "gpu"):
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))
    ensure_queues(client, 2)
    for name in FLOWS:
        client.create_deployment(client.create_flow_from_name(name), name)


def _work(client: Any, pool: str, *queues: str) -> None:
    """Do what a worker does that waits for runs."""
    client.send_worker_heartbeat(pool, f"on {queues[0]}", heartbeat_interval_seconds=30)
    client.get_scheduled_flow_runs_for_work_pool(pool, [*queues])


def test_the_stack_starts_workers_as_doctor_says(tmp_path: Path) -> None:
    from deployments.local.worker import Worker
    from flows.server.health import _worker_command

    queues = ("hours", "gpu-0", "default")
    own = " ".join(Worker(tmp_path / "gpu-0", "gpu", queues, 1, {}).command()[2:])
    told = _worker_command("gpu", ["gpu-0"])
    for part in ("worker start --type process", "--pool gpu", "--limit 1"):
        assert part in own
        assert part in told
    polled = " ".join(f"--work-queue {queue}" for queue in queues)
    assert polled in own
    assert polled in told
    unit = Path(__file__).parents[2] / "deployments" / "systemd"
    assert HEARTBEATS in told
    assert HEARTBEATS in (unit / "backhaul-worker-cpu.service").read_text()


def test_a_local_campaign_needs_no_pools(
    doctor: Doctor, new_place: Callable[[str], Any], tmp_path: Path
) -> None:
    config = new_place("local").config("tiny")
    findings = doctor(str(config), "--store", str(tmp_path / "store"))
    assert findings.code == 0, findings.checks
    assert findings.status("work pools") == "not asked"
    assert findings.status("store") == "ok"
    assert not (tmp_path / "store").exists()


@pytest.mark.s3
def test_keys_may_come_from_a_block(doctor: Doctor, object_store: Any) -> None:
    from blocks import ObjectStore

    environment = object_store.environment
    object_store.filesystem.call_s3("create_bucket", Bucket="vault")
    block = ObjectStore(
        bucket="vault",
        prefix="doctor",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        access_key_id=environment["AWS_ACCESS_KEY_ID"],
        secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    with asking(doctor.url, PASSWORD):
        ObjectStore.register_type_and_schema()
        block.save("vault")
    findings = doctor("--store", "block://vault/a")
    assert findings.status("store") == "ok", findings.checks
    assert findings.status("clock (store)") == "ok"
    assert environment["AWS_SECRET_ACCESS_KEY"] not in json.dumps(findings.checks)
    missing = doctor("--store", "block://nosuch")
    assert "object-store/nosuch" in missing.found("store")
    assert missing.status("clock (store)") == "not asked"
    closed = doctor("--store", "block://vault", auth=None)
    assert closed.status("store") == "not asked"


def test_a_server_that_lets_everybody_in_is_told(
    new_place: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Doctor(new_place("open").server)
    asked = ask(auth=None)
    assert asked.status("prefect auth") == "warning"
    assert "whoever reaches the server" in asked.found("prefect auth")
    assert "PREFECT_SERVER_API_AUTH_STRING=NAME:PASSWORD" in asked.remedy("prefect auth")
    given = ask()
    assert given.status("prefect auth") == "failed"
    assert "a login is given here" in given.found("prefect auth")
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "")
    empty = ask(auth=None)
    assert empty.status("prefect auth") == "failed"
    assert "PREFECT_SERVER_API_AUTH_STRING is empty" in empty.found("prefect auth")
