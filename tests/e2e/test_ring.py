"""The whole way round: frames, choice on two nodes, labels, retraining, the next model."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName

from backhaul.look.onnx import OnnxModel
from backhaul.node.journal import NAME, Journal
from backhaul.node.standing import count, sums_of
from deployments.local.prefect_server import PrefectServer
from deployments.local.private import write_private
from deployments.local.seaweedfs import SeaweedFS
from deployments.local.service import Service
from tests.e2e.conftest import COMMAND, Ended, Place
from tests.e2e.edge import N_INITIAL, Edge
from tests.faulty_link import FaultyLink, Weather, faulty_link
from tests.identities import RING, environment_of, files_of
from tests.services import asking, running

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.s3,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(1_200),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

NODES = ("pole-1", "pole-2")
STORE = f"edge/{RING}"
N_FRAMES = 40
"""Frames of a node and a turn; about half of them fit into an allowance."""
WINDOW_S = 20
WINDOW_BYTES = 60_000
PATIENCE_S = 240
KEY_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
TRAINING = {
    "model": "yolo11n",
    "steps": 40,
    "retrain_steps": 4,
    "img_size": 64,
    "batch_size": 16,
    "lr0": 0.002,
    "warmup_epochs": 0,
    "threads": 1,
    "device": "cpu",
}


@dataclass
class Ring:
    """Home with its bucket, an annotator, and two nodes behind a bad link."""

    place: Place
    store: SeaweedFS
    edge: Edge = field(init=False)
    files: Any = field(init=False)

    def __post_init__(self) -> None:
        self.files = files_of(self.store, "home-ring")
        n_scenes = N_INITIAL + 2 * len(NODES) * N_FRAMES
        scenes = self.place.folder / "scenes"
        self.edge = Edge.begin(scenes, STORE, self.files, n_scenes)
        config = self.edge.config(
            f"s3://{STORE}",
            name="ring",
            training=TRAINING,
            methods=[{"kind": "arrived", "policy": "best"}],
            bandwidth={"images": 999},
            batches={"sampling_batch": 20, "train": 0.6, "valid": 0.2},
            inference={"conf_check_num": 1, "conf_thres": 0.01},
        )
        self.config = self.place.folder / "ring.yaml"
        self.config.write_text(yaml.safe_dump(config))

    def home(self, *arguments: str | Path) -> str:
        """Call a command with home's keys, and return what it says."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment_of(self.store, "home-ring").items():
                patch.setenv(name, value)
            patch.setenv("BACKHAUL_CACHE", str(self.place.folder / "copies"))
            ended: Ended = self.place.backhaul(*arguments)
        assert ended.code == 0, ended.err + ended.out
        return ended.out

    def put_frames(self, turn: int) -> None:
        """Let both cameras have taken pictures, at the beginning of a window."""
        images = sorted((self.edge.scenes / "images").iterdir())[N_INITIAL:]
        wait_until(lambda: time.time() % WINDOW_S < WINDOW_S / 4)
        for number, node in enumerate(NODES):
            first = (len(NODES) * turn + number) * N_FRAMES
            draft = self.place.folder / node / f".{turn}"
            draft.mkdir()
            for image in images[first : first + N_FRAMES]:
                shutil.copy(image, draft)
            draft.rename(self.place.folder / node / "frames" / str(turn))

    def told(self, node: str) -> dict[str, Any]:
        """Return the status of a node, empty before its first one."""
        name = f"{STORE}/nodes/{node}/status.json"
        told: dict[str, Any] = {}
        if self.files.exists(name):
            told = json.loads(self.files.cat_file(name))
        return told

    def arrived(self, node: str) -> dict[str, bytes]:
        """Return the pictures of a node that wait in the inbox, by name."""
        return {
            name.rpartition("/")[2]: self.files.cat_file(name)
            for name in self.files.find(f"{STORE}/inbox/{node}")
        }

    def sidecars(self, node: str) -> dict[str, dict[str, Any]]:
        """Return what a node has told of frames so far, by digest."""
        told = {}
        for name in self.files.find(f"{STORE}/nodes/{node}/sidecars"):
            for each in json.loads(gzip.decompress(self.files.cat_file(name))):
                told[each["digest"]] = each
        return told

    def has_all(self, node: str, turns: int) -> bool:
        """Return whether all that a node chose is at home, with its sidecars."""
        status = self.told(node)
        if not status or status["totals"]["seen"] < turns * N_FRAMES or status["waiting"]:
            return False
        digests = {name.partition(".")[0] for name in self.arrived(node)}
        return bool(digests) and digests <= self.sidecars(node).keys()

    def label(self, node: str) -> None:
        """Let the annotator label what has arrived, as it is in truth."""
        annotator = files_of(self.store, "annotator-ring")
        scenes = {path.read_bytes(): path for path in (self.edge.scenes / "images").iterdir()}
        for name, data in self.arrived(node).items():
            labels = self.edge.scenes / "labels" / f"{scenes[data].stem}.txt"
            place = f"{STORE}/labels/{node}/{Path(name).stem}.txt"
            annotator.pipe_file(place, labels.read_bytes())


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; what is listed may not be there to be read yet."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        with suppress(FileNotFoundError):
            if holds():
                return
        time.sleep(0.5)
    raise AssertionError("it has not come about")


@dataclass
class Agent(Service):
    """The agent of a node, in a process with no keys in its environment."""

    config: Path

    title = "node"
    address = ""

    def command(self) -> list[str]:
        return [COMMAND, "node", "run", str(self.config)]

    def ready(self) -> bool:
        return "model" in self.log.read_text()


@contextmanager
def running_node(ring: Ring, node: str, port: int) -> Iterator[None]:
    """Meanwhile the agent of a node runs; then it is asked to end."""
    folder = ring.place.folder / node
    (folder / "frames").mkdir(parents=True)
    keys = environment_of(ring.store, f"node-{node}")
    write_private(folder / "keys", "".join(f"{name}={keys[name]}\n" for name in KEY_NAMES))
    config = folder / "node.yaml"
    config.write_text(yaml.safe_dump(settings_of(ring, node, port)))
    with running(Agent(folder / "agent", config)) as agent:
        yield
        agent.stop()
        assert "Traceback" not in agent.log.read_text()


def settings_of(ring: Ring, node: str, port: int) -> dict[str, Any]:
    """Return NODE.yaml of a node that reaches home by a port of this machine."""
    folder = ring.place.folder / node
    policy = {"kind": "window", "name": "best", "method": {"kind": "diverse"}}
    allowance = {"period": "window", "bytes": WINDOW_BYTES}
    return {
        "node": node,
        "folder": str(folder / "node"),
        "frames": {"kind": "folder", "path": str(folder / "frames"), "settle_s": 0},
        "model": str(ring.place.folder / "first" / "model.onnx"),
        "policies": [policy | {"suppress": False}],
        "link": {"window_s": WINDOW_S, "allowances": [allowance], "overhead_bytes": 600},
        "uplink": {
            "kind": "s3",
            "endpoint": f"http://127.0.0.1:{port}",
            "bucket": "edge",
            "prefix": RING,
            "keys_file": str(folder / "keys"),
        },
        "updates": {"root": str(ring.place.folder / "signing" / "root.json"), "every_s": 5},
        "status_s": 5,
    }


def totals_of(folder: Path) -> dict[str, int]:
    """Return what a node that has ended counted."""
    journal = Journal(folder / "node" / NAME)
    memory = journal.memory()
    journal.close()
    assert memory.window is not None
    sums = dict(memory.totals)
    for what, n in sums_of(memory.window).items():
        count(sums, what, n)
    return sums


@pytest.fixture(scope="module")
def ring(
    tmp_path_factory: pytest.TempPathFactory,
    object_store: SeaweedFS,
    prefect_on_postgres: PrefectServer,
) -> Iterator[Ring]:
    """A site whose first model is trained and exported, and whose signing keys are made."""
    server = prefect_on_postgres
    ring = Ring(Place(tmp_path_factory.mktemp("ring"), server.api_url), object_store)
    with asking(server.api_url, server.environment["PREFECT_API_AUTH_STRING"]):
        assert "nothing to play" in ring.home("hourly", ring.config, "--plain")
        first = ring.place.folder / "first"
        run = f"s3://{STORE}/runs/ring"
        ring.home("export-model", run, "--method", "init", "--to", first)
        ring.home("models", "keys", ring.place.folder / "signing")
        yield ring


def test_what_nodes_choose_makes_the_model_that_they_choose_by_next(ring: Ring) -> None:
    folder, address = ring.place.folder, f"s3://{STORE}"
    weather = Weather(reset=0.05, lost=0.05)
    with faulty_link(ring.store.ports["s3"], weather) as link:
        with ExitStack() as agents:
            for node in NODES:
                agents.enter_context(running_node(ring, node, link.port))
            ring.put_frames(0)
            wait_until(lambda: all(ring.has_all(node, 1) for node in NODES))
            first = {node: ring.sidecars(node) for node in NODES}
            for node in NODES:
                ring.label(node)

            said = ring.home("hourly", ring.config, "--plain")
            assert "ring: Completed" in said
            new = folder / "new"
            ring.home(
                "export-model", f"{address}/runs/ring", "--to", new, "--method", "arrived-best"
            )
            publish = ("--probe", folder / "pole-1" / "frames", "--keys", folder / "signing")
            ring.home("models", "publish", new / "model.onnx", *publish, "--store", address)

            version = OnnxModel(new / "model.onnx").sha256[:12]
            wait_until(lambda: all(ring.told(node)["model"] == version for node in NODES))
            ring.put_frames(1)
            wait_until(lambda: all(ring.has_all(node, 2) for node in NODES))
            fleet = json.loads(ring.home("fleet", "--store", address, "--json"))
        carried = link
    check_choices(ring, first, version)
    check_bytes(ring, carried)
    assert {view["name"]: view["problems"] for view in fleet} == {node: [] for node in NODES}
    assert flow_runs_of("hourly") == ["Completed"] * 2


def flow_runs_of(flow: str) -> list[str | None]:
    """Return how the runs of a flow ended, as the server with PostgreSQL knows them."""
    named = FlowFilter(name=FlowFilterName(any_=[flow]))
    with get_client(sync_client=True) as client:
        return [run.state_name for run in client.read_flow_runs(flow_filter=named)]


def check_choices(ring: Ring, first: dict[str, dict[str, Any]], version: str) -> None:
    """Check that each turn was chosen by its own model, and only a part of it sent."""
    old = OnnxModel(ring.place.folder / "first" / "model.onnx").sha256[:12]
    for node in NODES:
        told = ring.sidecars(node)
        then = {digest: each for digest, each in told.items() if digest not in first[node]}
        assert {each["model"] for each in first[node].values()} == {old}
        assert {each["model"] for each in then.values()} == {version}
        for turn in (first[node], then):
            assert 5 < len(turn) < N_FRAMES
        pictures = ring.arrived(node)
        assert {Path(name).stem for name in pictures} == then.keys()
        for name, data in pictures.items():
            assert hashlib.sha256(data).hexdigest() == Path(name).stem


def check_bytes(ring: Ring, link: FaultyLink) -> None:
    """Check that the nodes counted what the link carried, and kept to their allowances."""
    totals = [totals_of(ring.place.folder / node) for node in NODES]
    up, down = (sum(each[f"{way}_bytes"] for each in totals) for way in ("up", "down"))
    assert link.breaks
    assert up == pytest.approx(link.up_bytes, rel=0.03)
    assert down == pytest.approx(link.down_bytes, rel=0.03)
    assert all(sums["seen"] == 2 * N_FRAMES for sums in totals)
    for node in NODES:
        windows = ring.files.find(f"{STORE}/nodes/{node}/windows")
        summaries = [json.loads(ring.files.cat_file(name)) for name in windows]
        assert max(each["sent"] for each in summaries) > 0
        most = max(each["up_bytes"] for each in summaries)
        assert most <= WINDOW_BYTES
