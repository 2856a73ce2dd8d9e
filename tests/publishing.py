"""A home that publishes, and what a node makes of it, for tests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backhaul.look.onnx import OnnxModel
from backhaul.node.settings import NodeConfig
from backhaul.node.setup import Setup, own_setup
from backhaul.node.updates.check import Checker, Ready
from backhaul.node.updates.probe import Probe
from backhaul.node.updates.release import Choice, Release
from backhaul.node.updates.settings import Updates
from backhaul.node.updates.shelf import Shelf
from backhaul.node.updates.source import Published
from backhaul.publication.keys import make_keys, read_keys
from backhaul.publication.probing import looked_at, probe_images
from backhaul.publication.publishing import NewModel, publish
from backhaul.publication.releases import release_at
from backhaul.publication.repository import Repository
from backhaul.uplink.folder import FolderHome
from backhaul.uplink.home import Home
from tests.tinymodels import tiny_model, write_pictures


@dataclass
class Publisher:
    """A store with keys, and what it publishes.

    Args:
        folder: Where all lies.
    """

    folder: Path
    days: float = 7.0
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.folder / "store"
        self.root.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "keys").exists():
            make_keys(self.folder / "keys")
        if not (self.folder / "probe").exists():
            write_pictures(self.folder / "probe", 2)

    @property
    def repository(self) -> Repository:
        return Repository(str(self.root), read_keys(self.folder / "keys"), self.days)

    def cohort(self) -> float:
        """Return the share of the nodes that what is published is for."""
        targets = self.repository.read().targets.targets
        release = release_at(str(self.root), targets, "all")
        assert release is not None
        return release.cohort

    @property
    def published(self) -> Path:
        return self.root / "published"

    @property
    def timestamp(self) -> Path:
        return self.published / "metadata/timestamp.json"

    def probe(self, model: bytes, labelled: Path | None = None) -> Probe:
        path = self.folder / "probed.onnx"
        path.write_bytes(model)
        opened = OnnxModel(path)
        images = probe_images(self.folder / "probe", labelled, opened.info.class_names)
        return looked_at(images, opened)

    def put(
        self,
        data: bytes | None,
        probe: Probe | None = None,
        cohort: float | None = None,
        **choice: Any,
    ) -> Release:
        """Publish a model, or with None what is given beside it."""
        model = None
        if data is not None:
            model = NewModel("tiny.onnx", data, probe or self.probe(data))
        return publish(self.repository, "all", model, Choice(**choice), cohort)

    def state(self, name: str) -> Path:
        """Keep a copy of all that is published."""
        return Path(shutil.copytree(self.published, self.folder / name))

    def show(self, state: Path) -> None:
        """Publish a copy again, whatever was published since."""
        shutil.rmtree(self.published)
        shutil.copytree(state, self.published)


@dataclass
class Taker:
    """A node that takes what is published.

    Args:
        publisher: What is published.
        folder: The node's.
        home: How it is reached; None = as a folder.
    """

    publisher: Publisher
    folder: Path
    home: Home | None = None
    clock_s: float = 0.0
    updates: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    setup: Setup = field(init=False)
    checker: Checker = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        own = self.folder / "own.onnx"
        own.write_bytes(tiny_model(0.9))
        given = {
            "node": "cam-1",
            "folder": str(self.folder),
            "frames": {"kind": "folder", "path": "frames"},
            "model": str(own),
            "uplink": {"kind": "folder", "folder": str(self.publisher.root)},
            **self.config,
        }
        config = NodeConfig.model_validate(given)
        updates = Updates.model_validate({"root": "root.json", **self.updates})
        (self.folder / "incoming").mkdir(exist_ok=True)
        published = Published(
            self.home or FolderHome(self.publisher.root),
            (self.publisher.folder / "keys/roots/1.root.json").read_bytes(),
            self.folder / "trusted",
            lambda: datetime.now(UTC) + timedelta(seconds=self.clock_s),
        )
        shelf = Shelf(self.folder / "models")
        self.setup = own_setup(config)
        self.checker = Checker(config, updates, published, shelf, self.folder / "incoming")

    def check(self, may_bytes: float = float("inf")) -> Ready | None:
        """Look at what is published, and let it be in use."""
        ready = self.checker.check(self.setup, may_bytes)
        if ready is not None:
            self.checker.shelf.take(ready.taken)
            self.setup = ready.setup
        return ready
