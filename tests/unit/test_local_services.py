"""What the services of the local stack have in common: processes, ports, secrets."""

import json
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backhaul.errors import InputError
from deployments.local.ports import DEFAULTS, claim_ports, free_port, is_free
from deployments.local.prefect_server import PrefectServer
from deployments.local.private import kept_secret, write_private
from deployments.local.seaweedfs import SeaweedFS
from deployments.local.service import find_process, inherited, is_alive, tree_of
from deployments.local.shellfile import shell_file
from deployments.local.worker import Worker
from tests.services import ROOT, running
from tests.sleeper import PARENT, Sleeper


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def test_stop_ends_it(tmp_path: Path) -> None:
    service = Sleeper(tmp_path / "sleeper")
    with running(service):
        process = find_process(service.folder)
        assert process is not None
        service.stop()
        assert not is_alive(process)
        assert not service.running


def test_one_whose_threads_still_end_is_not_gone() -> None:
    """A thread keeps the ports of a process whose first thread has ended already."""
    ends_first = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)"
    )
    child = subprocess.Popen([sys.executable, "-c", ends_first])
    process = psutil.Process(child.pid)
    try:
        assert eventually(lambda: process.status() == psutil.STATUS_ZOMBIE)
        assert is_alive(process)
    finally:
        child.kill()
    assert eventually(lambda: not is_alive(process))
    child.wait()


def test_an_object_store_that_does_not_listen_yet_is_not_ready(tmp_path: Path) -> None:
    ports = {name: free_port() for name in DEFAULTS["seaweedfs"]}
    began = time.monotonic()
    assert not SeaweedFS(tmp_path, ports, "edge", "secret").ready()
    assert time.monotonic() - began < 10  # botocore's own tries take more


def test_another_object_stops_it(tmp_path: Path) -> None:
    with running(Sleeper(tmp_path / "sleeper")) as service:
        Sleeper(tmp_path / "sleeper").stop()
        assert not service.running


def test_kill_ends_what_it_started(tmp_path: Path) -> None:
    with running(Sleeper(tmp_path / "sleeper", PARENT)) as service:
        process = find_process(service.folder)
        assert process is not None
        tree = tree_of(process)
        assert len(tree) == 2
        service.kill()
        assert not any(map(is_alive, tree))


def test_one_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    service = Sleeper(tmp_path / "sleeper", "raise SystemExit('no such thing')")
    with pytest.raises(InputError, match="sleeper: ended at its start: no such thing"):
        service.start()
    assert not service.running


def test_a_pid_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    with running(Sleeper(tmp_path / "sleeper")) as service:
        file = service.folder / "pid"
        known = file.read_text()
        pid, began, machine = known.splitlines()
        for other in (f"{pid}\n{float(began) - 60}\n{machine}\n", f"{pid}\n{began}\nreboot\n"):
            file.write_text(other)
            assert not service.running
        file.write_text(known)
        assert service.running


def test_nothing_is_left_of_a_killed_starter(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
sys.path[:0] = ["{ROOT}", "{ROOT}/tests"]
from services import running
from sleeper import PARENT, Sleeper
with running(Sleeper(Path("{tmp_path}") / "sleeper", PARENT)):
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as starter:
        log = tmp_path / "sleeper" / "log"
        assert eventually(lambda: log.exists() and "awake" in log.read_text())
        process = find_process(tmp_path / "sleeper")
        assert process is not None
        tree = tree_of(process)
        starter.send_signal(signal.SIGKILL)
        assert eventually(lambda: not any(map(is_alive, tree)))


def test_a_taken_port_is_replaced_and_remembered(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        ports = DEFAULTS | {"prefect": {"api": taken}}
        (tmp_path / "ports.json").write_text(json.dumps(ports))
        claimed = claim_ports(tmp_path)
        assert claimed["prefect"]["api"] != taken
        assert is_free(claimed["prefect"]["api"])
    assert claim_ports(tmp_path) == claimed


def test_a_secret_is_made_once_and_private(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "secrets" / "login", "admin:")
    assert secret.startswith("admin:")
    assert len(secret) > 40
    assert kept_secret(tmp_path / "secrets" / "login", "admin:") == secret
    assert stat.S_IMODE((tmp_path / "secrets" / "login").stat().st_mode) == 0o600


def test_a_readable_file_becomes_private(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("old")
    (tmp_path / "env").chmod(0o644)
    write_private(tmp_path / "env", "new")
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600


def test_a_shell_reads_any_value(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(shell_file({"A": "it's $HOME; `b` \n c"}))
    code = ["/bin/sh", "-c", f'. "{tmp_path}/env"; printf %s "$A"']
    assert subprocess.check_output(code, text=True) == "it's $HOME; `b` \n c"


def test_a_service_gets_what_it_needs_of_its_starters_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starters = {
        "AWS_SECRET_ACCESS_KEY": "abc",
        "PREFECT_API_AUTH_STRING": "me:abc",
        "WEED_JWT_SIGNING_KEY": "abc",
        "SOME_TOKEN": "abc",
        "SOMETHING": "abc",
    }
    for name, value in starters.items():
        monkeypatch.setenv(name, value)
    with running(Sleeper(tmp_path / "sleeper")) as service:
        process = find_process(service.folder)
        assert process is not None
        had = process.environ()
    assert not set(starters) & set(had)
    assert "PATH" in had
    assert set(starters) & set(inherited(Worker.inherits)) == {"SOMETHING"}


@pytest.mark.parametrize("login", ["", " ", ":", "admin:", ":abc", "admin"])
def test_a_server_without_a_login_is_refused(login: str, tmp_path: Path) -> None:
    server = PrefectServer(tmp_path / "prefect", free_port(), "sqlite+aiosqlite://", login)
    with pytest.raises(InputError, match="its login is empty, expected NAME:PASSWORD"):
        server.start()
    assert not server.running


@pytest.mark.parametrize("kept", ["", "\n", "admin:"])
def test_an_empty_secret_is_refused(kept: str, tmp_path: Path) -> None:
    (tmp_path / "login").write_text(kept)
    with pytest.raises(InputError, match="login: is empty, expected a secret"):
        kept_secret(tmp_path / "login", "admin:")
