"""The object store of compose.yaml: its arguments and files, with the real program."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import s3fs
import yaml

from deployments.local.ports import free_port
from deployments.local.service import Service, find_process
from tests.e2e.test_identities import GRPC, code_of
from tests.services import ROOT, running

pytestmark = pytest.mark.s3

HOME = {"AWS_ACCESS_KEY_ID": "home", "AWS_SECRET_ACCESS_KEY": "of-the-tests", "BUCKET": "edge"}
PORTS = ("s3", "master", "volume", "filer")


@dataclass
class OfCompose(Service):
    """SeaweedFS as compose.yaml starts it, on ports of ours and in folders of ours."""

    ports: dict[str, int]

    @property
    def title(self) -> str:
        return "SeaweedFS of compose"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def _settings(self) -> dict[str, Any]:
        text = (ROOT / "deployments" / "compose.yaml").read_text()
        places = text.replace("/keys", str(self.folder / "keys"))
        return dict(yaml.safe_load(places.replace("/data", str(self.folder)))["services"])

    def command(self) -> list[str]:
        weed = str(Path(sysconfig.get_path("scripts")) / "weed")
        ours = [f"-{name}.port={port}" for name, port in self.ports.items()]
        small = ["-volume.max=50", "-master.volumeSizeLimitMB=256"]  # on any disk
        return [weed, *self._settings["seaweedfs"]["command"], *ours, *small]

    def own_environment(self) -> dict[str, str]:
        return dict(self._settings["seaweedfs"]["environment"])

    def ready(self) -> bool:
        files = self.files(HOME)
        try:
            if not files.exists("edge"):
                files.call_s3("create_bucket", Bucket="edge")
            files.pipe_file("edge/.ready", b"yes")
        except OSError:
            return False
        return True

    def files(self, keys: dict[str, str]) -> Any:
        return s3fs.S3FileSystem(
            key=keys["AWS_ACCESS_KEY_ID"],
            secret=keys["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=self.address,
            use_listings_cache=False,
        )


def keys(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Do what the service `keys` does."""
    environment = {**os.environ, **HOME, "AWS_ENDPOINT_URL_S3": "http://store", **variables}
    return subprocess.run(
        [sys.executable, "-m", "deployments.keys", *arguments, "--folder", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compose") / "seaweedfs" / "keys"


@pytest.fixture(scope="module")
def node(folder: Path) -> dict[str, str]:
    """The keys of a node, as they were printed."""
    assert keys(folder, "write").returncode == 0
    added = keys(folder, "add", "node", "cam-1")
    assert added.returncode == 0, added.stderr
    return dict(line.split("=", 1) for line in added.stdout.splitlines())


@pytest.fixture(scope="module")
def store(folder: Path, node: dict[str, str]) -> Iterator[OfCompose]:
    ports = {name: free_port() for name in PORTS}
    with running(OfCompose(folder.parent, ports)) as service:
        yield service


def test_all_but_s3_is_for_its_container_alone(store: OfCompose) -> None:
    process = find_process(store.folder)
    assert process is not None
    found = process.net_connections("inet")
    listening = {c.laddr.port: c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN}
    s3 = {store.ports["s3"], store.ports["s3"] + 10_000}
    assert s3 <= set(listening)
    others = {port: address for port, address in listening.items() if port not in s3}
    assert set(others.values()) == {"127.0.0.1"}, others
    grpc_of_s3 = f"127.0.0.1:{store.ports['s3'] + 10_000}"
    assert code_of(grpc_of_s3, GRPC["s3"], None) == grpc.StatusCode.UNAVAILABLE


def test_a_node_that_was_added_may_send_and_no_more(
    store: OfCompose, node: dict[str, str]
) -> None:
    assert node["AWS_ENDPOINT_URL_S3"] == "http://store"
    assert node["BACKHAUL_STORE"] == "s3://edge"
    files = store.files(node)
    files.pipe_file("edge/inbox/cam-1/a.jpg", b"image")
    assert store.files(HOME).cat_file("edge/inbox/cam-1/a.jpg") == b"image"
    for key in ("inbox/cam-2/a.jpg", ".backhaul/results/x", "labels/cam-1/a.txt"):
        with pytest.raises(PermissionError):
            files.pipe_file(f"edge/{key}", b"x")
    with pytest.raises(PermissionError):
        files.call_s3("delete_object", Bucket="edge", Key="inbox/cam-1/a.jpg")
    with pytest.raises(PermissionError):
        files.call_s3("list_objects_v2", Bucket="edge")


def test_wrong_input_is_one_line(folder: Path, node: dict[str, str]) -> None:
    for said, done in {
        "has keys already": keys(folder, "add", "node", "cam-1"),
        "as a name": keys(folder, "add", "node", "*"),
        "AWS_SECRET_ACCESS_KEY: is not set": keys(folder, "write", AWS_SECRET_ACCESS_KEY=""),
    }.items():
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
    again = folder / "grpc.key"
    before = again.read_bytes()
    assert keys(folder, "write").returncode == 0
    assert again.read_bytes() == before
