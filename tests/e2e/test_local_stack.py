"""`make up` and `make down`: all services of production on this machine, in one folder."""

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.local.api import Api
from deployments.local.service import find_process, is_alive, tree_of
from deployments.local.stack import Stack, known_stack
from tests.services import ROOT, guarded

pytestmark = [pytest.mark.s3, pytest.mark.prefect, pytest.mark.services]


def local(action: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command that `make` runs."""
    return subprocess.run(
        [sys.executable, "-m", "deployments.local", action, *more, "--folder", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("stack") / "up"
    with guarded(folder):
        yield folder
    shutil.rmtree((folder / "postgresql").resolve(), ignore_errors=True)  # may lie elsewhere


@pytest.fixture(scope="module")
def up(folder: Path) -> str:
    """What the first `up` says."""
    done = local("up", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def the_stack(folder: Path) -> Stack:
    stack = known_stack(folder)
    assert stack is not None
    return stack


def exported(folder: Path) -> dict[str, str]:
    """The environment of a shell that read the file of the stack."""
    shell = ["/bin/sh", "-c", f". '{folder}/env' && env -0"]
    out = subprocess.run(
        shell, capture_output=True, text=True, check=True, env={"PATH": "/bin"}
    )
    return dict(line.split("=", 1) for line in out.stdout.split("\0") if line)


def test_up_says_what_to_do_next(up: str, folder: Path) -> None:
    stack = the_stack(folder)
    assert f"UI: {stack.server.address} " in up
    assert f". {folder}/env" in up
    assert "prefect deployment run campaign/campaign --watch" in up
    for secret in (folder / "secrets").iterdir():
        assert secret.read_text() not in up


def test_the_server_has_what_a_campaign_needs(up: str, folder: Path) -> None:
    api = Api(exported(folder))
    queues = {q["name"]: q["concurrency_limit"] for q in api.find("work_pools/gpu/queues")}
    assert queues == {"hours": None, "default": None, "gpu-0": None, "gpu-1": None}
    workers = {
        worker["name"]: worker["status"]
        for pool in ("cpu", "gpu")
        for worker in api.find(f"work_pools/{pool}/workers")
    }
    assert workers == dict.fromkeys(("cpu", "hours", "gpu-0", "gpu-1"), "ONLINE")
    assert "campaign" in {deployment["name"] for deployment in api.find("deployments")}
    assert [block["name"] for block in api.find("block_documents")] == ["store"]


def test_the_server_asks_for_the_login(up: str, folder: Path) -> None:
    import httpx

    with pytest.raises(httpx.HTTPStatusError, match="401"):
        Api({"PREFECT_API_URL": exported(folder)["PREFECT_API_URL"]}).find("deployments")


def test_postgresql_runs_without_rights(up: str, folder: Path) -> None:
    process = find_process(folder / "postgresql")
    assert process is not None
    assert process.uids().real != 0


def test_secrets_are_private(up: str, folder: Path) -> None:
    private = [
        folder / "env",
        folder / "seaweedfs" / "s3.json",
        *(folder / "secrets").iterdir(),
    ]
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secrets = [path.read_text() for path in (folder / "secrets").iterdir()]
    for process in the_processes(folder):
        assert not any(secret in " ".join(process.cmdline()) for secret in secrets)
    for log in [*folder.glob("*/log"), *folder.glob("*.log")]:
        assert not any(secret in log.read_text() for secret in secrets)


def the_processes(folder: Path) -> list[psutil.Process]:
    found = [find_process(pid.parent) for pid in folder.glob("*/pid")]
    return [process for root in found if root for process in tree_of(root)]


def test_the_bucket_takes_the_keys_of_the_shell(
    up: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    for name, value in exported(folder).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    files = s3fs.S3FileSystem()
    files.pipe_file("backhaul/here", b"yes")
    assert files.cat_file("backhaul/here") == b"yes"


def test_a_node_gets_keys_of_its_own(up: str, folder: Path) -> None:
    import s3fs

    added = local("key", folder, "node", "cam-1")
    assert added.returncode == 0, added.stderr
    file = folder / "keys" / "node" / "cam-1.env"
    assert str(file) in added.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keys = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert keys["AWS_SECRET_ACCESS_KEY"] not in added.stdout
    files = s3fs.S3FileSystem(
        key=keys["AWS_ACCESS_KEY_ID"],
        secret=keys["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=keys["AWS_ENDPOINT_URL_S3"],
    )
    files.pipe_file("backhaul/inbox/cam-1/a.part", b"yes")
    with pytest.raises(PermissionError):
        files.pipe_file("backhaul/.backhaul/results/x", b"no")
    assert local("status", folder).returncode == 0
    again = local("key", folder, "node", "cam-1")
    assert (again.returncode, again.stderr.count("has keys already")) == (2, 1)


def test_a_second_up_starts_what_is_missing(up: str, folder: Path) -> None:
    before = {p.pid for p in the_processes(folder)}
    the_stack(folder).workers[0].kill()
    assert local("status", folder).returncode == 1
    again = local("up", folder)
    assert "starting worker cpu" in again.stdout
    assert again.stdout.count("starting") == 1
    assert local("status", folder).returncode == 0
    assert "all is up already" in local("up", folder).stdout
    assert len(before & {p.pid for p in the_processes(folder)}) >= len(before) - 2


def test_down_leaves_nothing_running_and_all_data(up: str, folder: Path) -> None:
    processes = the_processes(folder)
    assert len(processes) >= 6
    before = json.loads((folder / "ports.json").read_text())
    api = Api(exported(folder))
    flow = api.find("flows")[0]["id"]
    api.create("flow_runs/", {"flow_id": flow, "name": "cut", "state": {"type": "RUNNING"}})
    assert local("down", folder).returncode == 0
    assert not [process for process in processes if is_alive(process)]
    assert not list(folder.glob("*/pid"))
    assert local("down", folder).stdout == "all is down\n"
    again = local("up", folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads((folder / "ports.json").read_text()) == before
    assert api.find("deployments")
    states = {run["name"]: run["state_name"] for run in api.find("flow_runs")}
    assert states["cut"] == "Crashed"  # hourly may have runs, too
