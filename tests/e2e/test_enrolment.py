"""A node from its token to new keys, with the commands, on a real S3 server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.cli.fleet import fleet
from backhaul.cli.node import node as on_device
from backhaul.fleet.enrolment import Records
from backhaul.fleet.keyuse import KeyUse, read_key_use
from backhaul.fleet.nodes import read_fleet
from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from backhaul.settingsfile import fields_of, validated
from backhaul.uplink.token import PREFIX
from deployments.keys import app as keys_of_store
from deployments.local.identities import Keys
from deployments.local.ports import DEFAULTS, free_port
from deployments.local.private import secret
from deployments.local.seaweedfs import SeaweedFS
from tests.commands import called
from tests.onnxmodels import brightness_model
from tests.services import running
from tests.unit.node.test_running import put_frames

pytestmark = [pytest.mark.s3, pytest.mark.slow]
STORE = "s3://edge/site/a"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SeaweedFS:
    """A server of this test alone, not yet started; its administrator is this process."""
    ports = {name: free_port() for name in DEFAULTS["seaweedfs"]}
    service = SeaweedFS(tmp_path / "server/seaweedfs", ports, "edge", secret())
    for name, value in {**service.environment, "BUCKET": "edge"}.items():
        monkeypatch.setenv(name, value)
    return service


class Operator:
    """Who gives out keys and tokens.

    Args:
        folder: Where all of this lies.
        store: The server.
    """

    def __init__(self, folder: Path, store: SeaweedFS) -> None:
        self.folder, self.store = folder, store
        self.secrets = folder / "node-secrets"

    def keys(self, *words: str) -> str:
        """Change who has keys, which the server learns when it starts; return what it says."""
        said = called(keys_of_store, *words, "--folder", str(self.folder / "keys"))
        self.store.identities = Keys(self.folder / "keys/keys").identities
        return said

    def key_file(self, *options: str) -> Path:
        """Return the file with new keys of the node."""
        file = self.folder / f"{len(options)}.env"
        file.write_text(self.keys("add", "node", "cam-1", "--store", "site/a", *options))
        file.chmod(0o600)
        return file

    def fleet(self, *words: str) -> str:
        """Call `backhaul fleet`."""
        return called(fleet, *words, "--secrets", str(self.secrets))

    def use(self) -> KeyUse:
        """Return which keys the node uses."""
        (use,) = read_key_use(STORE, Records(self.secrets))
        return use


def run_until(node: Node, is_true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60
    node.run(lambda: is_true() or time.monotonic() > end_s)
    assert is_true()


def test_a_node_is_enrolled_and_outlives_new_keys_and_the_end_of_the_old_ones(
    store: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.node.outgoing.TELL_S", 0.2)
    monkeypatch.setattr("backhaul.node.requests.KEYS_AGAIN_S", 1.0)
    operator, device = Operator(tmp_path, store), tmp_path / "device"
    (tmp_path / "night.yaml").write_text(
        "status_s: 5\npolicies: [{kind: stream, suppress: false}]"
    )
    given = ("--config", str(tmp_path / "night.yaml"), "--keys")
    older, newer = operator.key_file(), operator.key_file("--another")
    with running(store):
        token = operator.fleet("token", "cam-1", *given, str(older))
        assert token.startswith(PREFIX)
        assert token.count("\n") == 1
        assert operator.use().problem == "has told no keys"
        put_frames(tmp_path / "frames", 2)
        (tmp_path / "token").write_text(token)
        options = ("--folder", str(device), "--frames", str(tmp_path / "frames"))
        assert "writes and reads below nodes/cam-1" in called(
            on_device, "enrol", str(tmp_path / "token"), *options
        )
        assert operator.use().enrolled_s == pytest.approx(time.time(), abs=60)
        brightness_model(device / "model.onnx")

        path = device / "node.yaml"
        with Node(validated(path, NodeConfig, fields_of(path), "a node")) as node:
            totals = node.agent.standing.totals
            run_until(node, lambda: totals()["sent"] == 2)
            run_until(node, lambda: node.agent.outgoing.wake_mono_s() > time.monotonic())
            assert operator.use().uses == "node-cam-1"
            operator.fleet("rotate", "cam-1", "--keys", str(newer), "--store", STORE)
            use = operator.use()
            assert (use.uses, use.problem) == ("node-cam-1", "still uses old keys")
            run_until(node, lambda: operator.use().problem == "")
            use = operator.use()
            assert use.uses == use.newest != "node-cam-1"
            (view,) = read_fleet(STORE, time.time(), 900)
            assert view.status is not None
            assert view.status.keys_refused == ""

            gone = operator.keys("revoke", "node", "cam-1", "--all-but", use.newest)
            assert gone.split() == ["node-cam-1"]
            store.kill()  # faster than to stop it
            store.start()
            listed = called(keys_of_store, "list", "--folder", str(tmp_path / "keys"))
            assert use.newest in listed
            assert "node-cam-1 " not in listed.replace(use.newest, "")
            put_frames(tmp_path / "frames", 2, first=2)
            run_until(node, lambda: totals()["sent"] == 4)
        arrived = store.filesystem.ls("edge/site/a/inbox/cam-1")
        assert len(arrived) == 4
        everything = b"".join(
            store.filesystem.cat_file(name)
            for name in store.filesystem.find("edge/site/a/nodes")
        )
        for file in (newer, older):
            key = dict(line.split("=", 1) for line in file.read_text().splitlines())
            assert key["AWS_SECRET_ACCESS_KEY"].encode() not in everything
        assert (
            json.loads(operator.secrets.joinpath("cam-1.json").read_text())["node"] == "cam-1"
        )
        assert (operator.secrets / "cam-1.json").stat().st_mode & 0o777 == 0o600
