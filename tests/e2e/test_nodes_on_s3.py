"""Two nodes with keys of their own send to a real S3 server over a bad link."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from pathlib import Path

import pytest

from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from deployments.local.seaweedfs import SeaweedFS
from tests.faulty_link import Weather, faulty_link
from tests.identities import HOUR, environment_of, files_of
from tests.onnxmodels import brightness_model
from tests.unit.node.test_running import put_frames

pytestmark = [pytest.mark.s3, pytest.mark.slow]
NODES = ("cam1", "cam2")


def settings(folder: Path, node: str, port: int, store: SeaweedFS) -> NodeConfig:
    """Return the settings of a node with frames and keys of its own."""
    place = folder / node
    place.mkdir()
    put_frames(place / "frames", 25, first=100 * NODES.index(node))
    keys = environment_of(store, f"node-{node}")
    file = place / "keys"
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    file.write_text("".join(f"{name}={keys[name]}\n" for name in names))
    file.chmod(0o600)
    return NodeConfig.model_validate(
        {
            "node": node,
            "folder": str(place / "node"),
            "frames": {"kind": "folder", "path": str(place / "frames")},
            "model": str(folder / "model.onnx"),
            "policies": [{"kind": "stream", "suppress": False}],
            "uplink": {
                "kind": "s3",
                "endpoint": f"http://127.0.0.1:{port}",
                "bucket": "edge",
                "prefix": HOUR,
                "keys_file": str(file),
                "stall_s": 10,
            },
        }
    )


def test_all_frames_arrive_whole_and_bytes_are_counted(
    object_store: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.node.outgoing.TELL_S", 1.0)
    monkeypatch.setattr("backhaul.node.outgoing.REFUSED_WAIT_S", 1.0)
    brightness_model(tmp_path / "model.onnx")
    weather = Weather(reset=0.1, lost=0.05, outages=((2.0, 4.0),))
    with faulty_link(object_store.ports["s3"], weather) as link:
        configs = [settings(tmp_path, node, link.port, object_store) for node in NODES]
        nodes = [Node(config) for config in configs]
        end_s = time.monotonic() + 120

        def run(node: Node) -> None:
            node.run(lambda: node.is_done or time.monotonic() > end_s)
            node.close()

        threads = [threading.Thread(target=run, args=(node,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        carried = link.up_bytes
    counted = sum(node.agent.standing.totals()["up_bytes"] for node in nodes)
    assert counted == pytest.approx(carried, rel=0.03)
    files = files_of(object_store, "home-hour")
    kept = {name: files.cat_file(name) for name in files.find(f"edge/{HOUR}")}
    for config in configs:
        frames = {
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in Path(config.frames.path).iterdir()  # type: ignore[union-attr]
        }
        arrived = {
            name.rpartition("/")[2].removesuffix(".jpg"): data
            for name, data in kept.items()
            if name.startswith(f"edge/{HOUR}/inbox/{config.node}/")
        }
        assert arrived.keys() == frames
        assert all(hashlib.sha256(data).hexdigest() == name for name, data in arrived.items())
        status = kept.get(f"edge/{HOUR}/nodes/{config.node}/status.json")
        assert status is None or json.loads(status)["node"] == config.node
    for node in nodes:
        totals = node.agent.standing.totals()
        assert (totals["seen"], totals["sent"], totals["displaced"]) == (25, 25, 0)
