"""What all tests share: one temporary Prefect server, and a place for real data."""

import json
import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # machines are busy at times
settings.load_profile("patient")

os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["YOLO_OFFLINE"] = "true"


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary Prefect server, started once for the whole test run, with an empty cache."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    cache = {PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("results")}
    with prefect_test_harness(server_startup_timeout=90), temporary_settings(cache):
        yield


@dataclass(frozen=True)
class ObjectStore:
    """A running S3 server, and what a process needs in its environment to use it."""

    environment: dict[str, str]

    @property
    def filesystem(self) -> Any:
        import s3fs

        return s3fs.S3FileSystem(
            key=self.environment["AWS_ACCESS_KEY_ID"],
            secret=self.environment["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            skip_instance_cache=True,
        )


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """SeaweedFS, a real S3 server, with one bucket called ``edge``."""
    folder = tmp_path_factory.mktemp("seaweed")
    ports = {name: _free_port() for name in ("s3", "master", "volume", "filer")}
    keys = {"accessKey": "test-key", "secretKey": "test-secret"}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "admin", "credentials": [keys], "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    store = ObjectStore(
        {
            "AWS_ACCESS_KEY_ID": keys["accessKey"],
            "AWS_SECRET_ACCESS_KEY": keys["secretKey"],
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{ports['s3']}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(_weed(folder, ports), stdout=log, stderr=log)
    try:
        _wait_for_a_write(store)
        yield store
    finally:
        server.kill()  # nothing in it is kept
        server.wait()


def _weed(folder: Path, ports: dict[str, int]) -> list[str]:
    command = str(Path(sysconfig.get_path("scripts")) / "weed")
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.port": ports["s3"],
        "s3.config": folder / "s3.json",
        "s3.port.iceberg": 0,
        "master.port": ports["master"],
        "master.volumeSizeLimitMB": 64,
        "master.electionTimeout": "1s",
        "master.telemetry": "false",
        "volume.port": ports["volume"],
        "volume.max": 50,
        "volume.preStopSeconds": 0,
        "filer.port": ports["filer"],
    }
    return [command, "server", "-filer", "-s3", *(f"-{k}={v}" for k, v in options.items())]


def _free_port() -> int:
    """Return a port that is free, and so is the one 10,000 above it, which weed takes too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 10_000))
            except (OSError, OverflowError):
                continue
            return port


def _wait_for_a_write(store: ObjectStore, patience_s: float = 60) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            store.filesystem.call_s3("create_bucket", Bucket="edge")
            store.filesystem.pipe_file("edge/ready", b"yes")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


@pytest.fixture(scope="session")
def bccd() -> Path:
    """The BCCD set, which may lie in `shared/` beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "bccd"
    if not folder.is_dir():
        pytest.skip("the BCCD set is not in shared/data/bccd beside the checkout")
    return folder
