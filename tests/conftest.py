"""What all tests share: servers, each started once, and a place for real data."""

import gc
import os
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from deployments.local.label_studio import TOKEN_LENGTH, LabelStudioServer
from deployments.local.ports import DEFAULTS, free_port
from deployments.local.postgresql import PostgreSQL
from deployments.local.prefect_server import PrefectServer
from deployments.local.private import secret
from deployments.local.seaweedfs import SeaweedFS
from tests.identities import IDENTITIES
from tests.services import asking, running

settings.register_profile("patient", deadline=None, max_examples=40)  # machines are busy
settings.load_profile("patient")

os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["YOLO_OFFLINE"] = "true"
# Processes of tests share the cores: threads that wait for each other would spin.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # where more are asked for

OWN = Path(__file__).with_name("own")
"""Modules that campaigns of the tests name in their configs, in this process and in others."""
sys.path.append(str(OWN))
os.environ["PYTHONPATH"] = os.pathsep.join(
    path for path in (os.environ.get("PYTHONPATH"), str(OWN)) if path
)


@cache
def shared_by(file: Path) -> str | None:
    """Return what a file of tests shares with others: a campaign, a training, or services."""
    if file.parent.name == "detector":
        return "trained"
    if file.parent.name != "e2e":
        return None
    uses = re.search(
        r'\b(shared_stack|played|fixed)(: (Any|Played|Stack)\b|")',
        file.read_text(encoding="utf-8"),
    )
    return uses and uses[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files first that take long, so that no process is left with one at the end."""
    long = {i.path for i in items if any(map(i.get_closest_marker, ("services", "slow")))}
    items.sort(key=lambda i: i.path not in long and not shared_by(i.path))


IDLE = (
    "CANCELLATION_CLEANUP",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)
"""Services of a Prefect server that play no part where a flow is called in its process."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a process a file at a time, or all that `shared_by` finds to share something."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    def scope(nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return shared_by(config.rootpath / file) or file

    scheduling = LoadFileScheduling(config, log)
    scheduling._split_scope = scope
    return scheduling


@pytest.fixture(autouse=True)
def _keys_of_this_test() -> Iterator[None]:
    """Let no client of S3 outlive its test: it keeps what it read from the environment.

    They are collected at once. Later that may happen in a thread with an event loop of its own,
    as Prefect's, which cannot close their connections.
    """
    yield
    s3fs = sys.modules.get("s3fs")
    if s3fs is not None and s3fs.S3FileSystem._cache:
        s3fs.S3FileSystem.clear_instance_cache()
        gc.collect()


def keep_empty(database: Path, place: Path) -> None:
    """Copy the database of a server that nobody has asked for anything."""
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        copy = Path(folder, "copy.db")
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        copy.replace(place)  # processes of the tests may do so at the same time


@pytest.fixture(scope="session")
def empty_database(pytestconfig: pytest.Config) -> Path:
    """Where an empty database of the Prefect server lies, once a test session made one.

    Each version of Prefect has its own: its migrations take longer than all else of a start.
    """
    from prefect import __version__

    kept = pytestconfig.cache
    assert kept is not None
    return kept.mkdir("prefect") / f"empty-{__version__}.db"


@pytest.fixture(scope="session")
def prefect_server(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[None]:
    """A temporary Prefect server, started once for the whole test run, with an empty cache.

    Flows here take it for that of a run without one. It spares itself what no test asks it for.
    """
    from prefect import settings

    from flows.server.temporary import use_temporary_server

    folder = tmp_path_factory.mktemp("prefect_server")
    database = folder / "prefect.db"
    if empty_database.exists():
        shutil.copyfile(empty_database, database)
    server = {
        settings.PREFECT_SERVER_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{database}",
        settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # the end of each flow waits a second
        settings.PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 400,  # machines are busy
        settings.PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE: 100,
        settings.PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL: 1,
        **{
            getattr(settings, f"PREFECT_SERVER_SERVICES_{name}_ENABLED"): False for name in IDLE
        },
    }
    cache = {settings.PREFECT_LOCAL_STORAGE_PATH: folder / "results"}
    with settings.temporary_settings(server):
        use_temporary_server()
        if not empty_database.exists():
            keep_empty(database, empty_database)
        with asking(os.environ["PREFECT_API_URL"], None), settings.temporary_settings(cache):
            yield


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """SeaweedFS, a real S3 server, with one bucket called ``edge``; see tests/identities.py."""
    folder = tmp_path_factory.mktemp("object_store")
    ports = {name: free_port() for name in DEFAULTS["seaweedfs"]}
    seaweedfs = SeaweedFS(folder / "seaweedfs", ports, "edge", secret(), IDENTITIES)
    with running(seaweedfs) as store:
        yield store


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """PostgreSQL, run by an account without rights; a database: ``.create_database(NAME)``."""
    folder = tmp_path_factory.mktemp("postgres_server")
    postgresql = PostgreSQL(folder / "postgresql", free_port(), secret())
    with running(postgresql):
        yield postgresql
    shutil.rmtree(postgresql.folder.resolve())


@pytest.fixture(scope="session")
def prefect_on_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgreSQL
) -> Iterator[PrefectServer]:
    """A Prefect server that asks for a login; clients need its ``.environment``."""
    folder = tmp_path_factory.mktemp("prefect_on_postgres")
    database = postgres_server.create_database("prefect")
    login = f"admin:{secret()}"
    with running(PrefectServer(folder / "prefect", free_port(), database, login)) as server:
        yield server


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """A Label Studio on SQLite; its environment beside ours is made the first time."""
    folder = tmp_path_factory.mktemp("label_studio")
    token = secret()[:TOKEN_LENGTH]
    server = LabelStudioServer(folder / "labelling", free_port(), secret(), token)
    with running(server):
        yield server


@pytest.fixture(scope="session")
def bccd() -> Path:
    """The BCCD set, which may lie in `shared/` beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "bccd"
    if not folder.is_dir():
        pytest.skip("the BCCD set is not in shared/data/bccd beside the checkout")
    return folder


@pytest.fixture(scope="session")
def parking() -> Path:
    """An export of one video with copies, which may lie in `shared/` beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "parking"
    if not folder.is_dir():
        pytest.skip("the parking set is not in shared/data/parking beside the checkout")
    return folder
