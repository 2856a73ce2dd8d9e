"""A site: home with all its services, what is published, and nodes that were enrolled."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deployments.local.api import Api
from deployments.local.identities import Identity
from deployments.local.private import write_private
from deployments.local.registration import LABELLING_BLOCK
from deployments.local.stack import BUCKET, Stack, Step
from deployments.ring.nodes import COMMAND, Agent, Camera, change_settings, settings_of_nodes
from deployments.ring.scenes import SIZE_PX, Scenes

NAME = "ring"
ARM = "arrived-best"
N_INITIAL = 60
"""Scenes of the labelled set that it begins with; their first half is trained on."""
PATIENCE_S = 600.0
POLL_S = 0.5
TRAINING: Mapping[str, Any] = {
    "model": "yolo11n",
    "steps": 60,
    "retrain_steps": 150,
    "img_size": SIZE_PX,
    "batch_size": 16,
    "optimizer": "AdamW",
    "lr0": 0.002,
    "threads": 1,
    "device": "cpu",
    "checkpoint_interval": 10,
    "evaluation_interval": 10,
    "resume_interval": 50,
}
"""So short that the first model sees little, and each round makes a better one."""


@dataclass(frozen=True)
class Plan:
    """How large a ring is.

    Args:
        nodes: Names of the nodes.
        window_s: Length of a node's window.
        window_bytes: What a node may send in a window.
        batch: Images that have to arrive before a round is played.
        frames: Labelled frames that decide of a version on probation.
        training: Settings of the training.
    """

    nodes: tuple[str, ...] = ("pole-1", "pole-2", "pole-3")
    window_s: int = 10
    window_bytes: int = 120_000
    batch: int = 45
    frames: int = 12
    training: Mapping[str, Any] = field(default_factory=lambda: TRAINING)


class Site:
    """Home and its nodes, in one folder.

    Args:
        folder: Where all of it lies.
        stack: The services of home, Label Studio among them.
        scenes: What the cameras see.
        plan: How large it is.
    """

    def __init__(self, folder: Path, stack: Stack, scenes: Scenes, plan: Plan) -> None:
        self.folder, self.stack, self.scenes, self.plan = folder, stack, scenes, plan
        self.api = Api(stack.environment)
        self.address = f"s3://{BUCKET}/{NAME}"
        self.run = f"{self.address}/runs/{NAME}"

    @property
    def signing(self) -> Path:
        """Folder of the keys that sign what is published."""
        return self.folder / "signing"

    @property
    def config(self) -> dict[str, Any]:
        """The campaign of home."""
        plan = self.plan
        labelled = {"kind": "folder", "root": f"{self.address}/initial"}
        return {
            "name": NAME,
            "seed": 1,
            "store": self.address,
            "execution": "work-pool",
            "control": False,
            "data": {
                "kind": "inbox",
                "annotation": {"kind": "label-studio", "block": LABELLING_BLOCK},
            },
            "initial": {"data": labelled, "images": None, "train": 0.5, "valid": 0.2},
            "batches": {"sampling_batch": plan.batch, "train": 0.8, "valid": 0.1},
            "bandwidth": {"images": 10_000},
            "methods": [{"kind": "arrived", "policy": "best"}],
            "training": dict(plan.training),
            "inference": {"conf_check_num": 1, "conf_thres": 0.1},
            "triggers": {"kind": "labelled", "images": plan.batch},
            "accept": {"kind": "gate"},
            "publish": {
                "method": ARM,
                "signing": str(self.signing),
                "probe": str(self.folder / "probe"),
                "rollout": {"cohorts": [0.3, 1.0], "soak_s": 0.0, "silent_s": 600.0},
                "probation": {"frames": plan.frames},
            },
        }

    def home(self, *words: str | Path) -> str:
        """Call `backhaul` at home, and return what it says.

        Raises:
            RuntimeError: If it fails.
        """
        done = subprocess.run(
            [COMMAND, *map(str, words)],
            cwd=self.folder,
            env={**os.environ, **self.stack.environment, "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"backhaul {words[0]}: {done.stderr}{done.stdout}")
        return done.stdout

    def begin(self) -> None:
        """Put the labelled set into the store, and make the keys that sign; once."""
        files = self.stack.seaweedfs.filesystem
        initial = f"{BUCKET}/{NAME}/initial"
        if not files.exists(f"{initial}/data.yaml"):
            for picture in self.scenes.pictures[:N_INITIAL]:
                label = self.scenes.label_file(picture)
                files.put_file(str(picture), f"{initial}/images/{picture.name}")
                files.put_file(str(label), f"{initial}/labels/{label.name}")
            files.put_file(str(self.scenes.folder / "data.yaml"), f"{initial}/data.yaml")
        if not self.signing.exists():
            self.home("models", "keys", self.signing)
            Camera(self.folder / "probe").take("first", list(self.scenes.pictures[:16]))

    def enrol(self, node: str, step: Step = lambda _: nullcontext()) -> Agent:
        """Return the agent of a node, enrolled with keys of its own and the published model."""
        place = self.folder / "nodes" / node
        if not (place / "node.yaml").exists():
            place.mkdir(parents=True, exist_ok=True)
            keys = self.stack.add(Identity("node", node, NAME), step)
            shared = settings_of_nodes(self.plan.window_s, self.plan.window_bytes)
            (place / "shared.yaml").write_text(yaml.safe_dump(shared))
            token = self.home(
                *("fleet", "token", node, "--keys", keys, "--store", self.address),
                *("--root", self.signing / "root.json", "--config", place / "shared.yaml"),
                *("--endpoint", self.stack.seaweedfs.address),
            )
            write_private(place / "token", token)
            frames = place / "frames"
            frames.mkdir(exist_ok=True)
            self.home(
                *("node", "enrol", place / "token", "--folder", place, "--frames", frames)
            )
            change_settings(
                place / "node.yaml", {"updates": {"every_s": 5}, "frames": {"settle_s": 0}}
            )
        return Agent(place / "agent", place / "node.yaml")

    def camera(self, node: str) -> Camera:
        """Return the camera of a node."""
        return Camera(self.folder / "nodes" / node / "frames")

    def hour(self, **changes: Any) -> dict[str, Any]:
        """Run the deployment `hourly`, and return the state in which it ended.

        Args:
            changes: Fields of the campaign that are other this time.
        """
        return self.api.run("hourly/hourly", {"config": {**self.config, **changes}})

    def versions(self) -> Sequence[Mapping[str, Any]]:
        """Return the versions of the run's model, as `backhaul models list --json` has them."""
        found: list[dict[str, Any]] = json.loads(
            self.home("models", "list", self.run, "--json")
        )
        return found

    def told(self, node: str) -> dict[str, Any]:
        """Return the status that a node told last, empty before its first one."""
        place = f"{BUCKET}/{NAME}/nodes/{node}/status.json"
        files = self.stack.seaweedfs.filesystem
        status: dict[str, Any] = {}
        if files.exists(place):
            status = json.loads(files.cat_file(place))
        return status

    def take_pictures(self, turn: int, each: int) -> None:
        """Let each camera take so many pictures, at the beginning of a window."""
        wait_until(lambda: time.time() % self.plan.window_s < POLL_S * 4, "a window begins")
        for number, node in enumerate(self.plan.nodes):
            first = N_INITIAL + (len(self.plan.nodes) * turn + number) * each
            self.camera(node).take(str(turn), list(self.scenes.pictures[first : first + each]))

    def has_sent(self, node: str, n_seen: int) -> bool:
        """Return whether a node has seen so many frames, and sent and told of all it chose."""
        status = self.told(node)
        is_done = bool(status) and status["totals"]["seen"] >= n_seen and not status["waiting"]
        return is_done and self._pictures_of(node) <= self._told_of(node)

    def _pictures_of(self, node: str) -> set[str]:
        """Return the digests of the pictures of a node that wait in the inbox."""
        found = self._names(f"inbox/{node}")
        return {name.rpartition("/")[2].partition(".")[0] for name in found}

    def _told_of(self, node: str) -> set[str]:
        """Return the digests of the pictures that a node told about, as far as they wait."""
        files = self.stack.seaweedfs.filesystem
        return {
            each["digest"]
            for name in self._names(f"nodes/{node}/sidecars")
            for each in json.loads(gzip.decompress(files.cat_file(name)))
        }

    def _names(self, folder: str) -> list[str]:
        files = self.stack.seaweedfs.filesystem
        return list(files.find(f"{BUCKET}/{NAME}/{folder}"))


def wait_until(holds: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds; what was listed may have been taken in before it is read.

    Raises:
        TimeoutError: If it does not come about in time.
    """
    end_s = time.monotonic() + patience_s
    while time.monotonic() < end_s:
        with suppress(FileNotFoundError):
            if holds():
                return
        time.sleep(POLL_S)
    raise TimeoutError(f"after {patience_s:g} s still not: {what}")
