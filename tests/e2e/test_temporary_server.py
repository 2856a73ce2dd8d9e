"""What a person at a terminal hears of the temporary Prefect server of a run."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import COMMAND, Place
from tests.e2e.test_killed import wait_until

pytestmark = pytest.mark.prefect

QUESTION = """
import logging
from backhaul.cli.prefect import prepare_prefect
prepare_prefect(".")
from prefect.logging.configuration import setup_logging
setup_logging()
for name in ("prefect.server.services.task_run_recorder", "uvicorn.error"):
    print(logging.getLogger(name).isEnabledFor(logging.ERROR))
"""
CONFIG = """
name: never
data: {kind: digits}
bandwidth: {images: 3}
methods: [iqr]
"""


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=Place(folder).environment() | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_busy_database_is_tried_again_without_a_word(tmp_path: Path) -> None:
    """Each of these was a page of traceback in the middle of a good run."""
    said = run(tmp_path, sys.executable, "-c", QUESTION)
    assert said.stdout.split() == ["False", "True"], said.stderr


IMPORTED = """
import prefect
from prefect.settings import get_current_settings
from backhaul.cli.prefect import prepare_prefect
prepare_prefect(".")
print(get_current_settings().server.database.connection_url.get_secret_value())
"""


def test_it_lies_in_the_store_though_code_of_the_user_imports_prefect(tmp_path: Path) -> None:
    said = run(tmp_path, sys.executable, "-c", IMPORTED)
    place = tmp_path.resolve() / ".backhaul" / "prefect.db"
    assert said.stdout.split() == [f"sqlite+aiosqlite:///{place}"], said.stderr


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "never.yaml").write_text(CONFIG)
    database = tmp_path / "own.db"
    database.write_text("no database")
    own = {
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "20",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
    }
    ended = run(tmp_path, COMMAND, "run", "never.yaml", **own)
    assert ended.returncode != 0
    assert "file is not a database" in ended.stderr
    assert "Fatal Python error" not in ended.stderr
    assert database.read_text() == "no database"


BEGUN = """
from backhaul.cli.prefect import prepare_prefect
prepare_prefect(".")
from flows.server.temporary import use_temporary_server
use_temporary_server()
"""


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 50_000])
def test_a_damaged_database_is_set_aside_and_made_anew(tmp_path: Path, left: int) -> None:
    database = tmp_path / ".backhaul" / "prefect.db"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as made:
        made.execute("create table some (what)")
        made.executemany("insert into some values (?)", [("x" * 1000,)] * 100)
        made.commit()
    damaged = database.read_bytes()[:left] or b"no database"
    database.write_bytes(damaged)
    ended = run(tmp_path, sys.executable, "-c", BEGUN)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("no database that can be used") == 1
    [kept] = (tmp_path / ".backhaul" / "damaged").iterdir()
    assert kept.read_bytes() == damaged


KILLED = """
import os, signal
from backhaul.cli.prefect import prepare_prefect
prepare_prefect(".")
from flows.server.temporary import TemporaryServer
server = TemporaryServer()
print(server.api, flush=True)
{meanwhile}
os.kill(os.getpid(), signal.SIGKILL)
"""


FORKED = """
forked = os.fork()  # it has our end of the pipe, too
if not forked:
    os.closerange(1, 3)
    signal.pause()
print("forked", forked, flush=True)
"""
MEANWHILE = (
    "",
    pytest.param("import time; time.sleep(2)", marks=pytest.mark.slow),
    pytest.param("server.wait()", marks=pytest.mark.slow),
    pytest.param(
        "import time; time.sleep(1); os.kill(server._guard.pid, signal.SIGKILL)",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "server.wait(); os.kill(server._guard.pid, signal.SIGKILL)", marks=pytest.mark.slow
    ),
    pytest.param("server.stop()", marks=pytest.mark.slow),
    pytest.param(FORKED, marks=pytest.mark.slow),
)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_run_that_is_killed_leaves_no_server(tmp_path: Path, meanwhile: str) -> None:
    killed = run(tmp_path, sys.executable, "-c", KILLED.format(meanwhile=meanwhile))
    assert killed.returncode == -signal.SIGKILL
    port = re.findall(r":(\d+)/api", killed.stdout)[0]
    try:
        wait_until(lambda: not with_argument(port), 30)
    finally:
        for pid in re.findall(r"forked (\d+)", killed.stdout):
            os.kill(int(pid), signal.SIGKILL)


def with_argument(text: str) -> list[psutil.Process]:
    processes = psutil.process_iter(["cmdline"])
    return [each for each in processes if text in (each.info["cmdline"] or ())]
