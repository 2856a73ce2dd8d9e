"""A home with versions of a model that are published for nodes; nothing is trained."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backhaul.campaign.claim import claim
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.runrecords import BEGINNING
from backhaul.campaign.setting import Beginning
from backhaul.fleet.rollout import ROLLOUT, Rollout
from backhaul.layout import RunFiles
from backhaul.node.updates.release import Release
from backhaul.nodelayout import rollout_place
from backhaul.publication.keys import read_keys
from backhaul.publication.probations import PROBATION, ProbationRecord, ScoredFrame, add_frames
from backhaul.publication.releases import digest_of, release_at
from backhaul.publication.repository import Repository
from backhaul.registry.cards import Card
from backhaul.registry.decisions import decide
from backhaul.registry.history import History, history_of
from backhaul.registry.log import Entry, read_log
from backhaul.registry.registering import register
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import write_bytes
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Arrangement, NodeModel
from tests.publishing import Publisher
from tests.tinymodels import CLASSES, SIZE, tiny_model

RUN = "cars"
NODES = tuple(f"cam-{number}" for number in range(10))


@dataclass
class RegisteredHome:
    """A store with keys, a run whose versions are registered, and what its nodes tell.

    Args:
        folder: Where all lies.
        changes: Other settings of ``publish``.
        store: Address of the store; empty = a folder.
    """

    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)
    store: str = ""

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.folder)

    @property
    def root(self) -> str:
        return self.store or str(self.publisher.root)

    @property
    def repository(self) -> Repository:
        return Repository(self.root, read_keys(self.folder / "keys"))

    @property
    def files(self) -> RegistryFiles:
        return RegistryFiles(RunFiles(self.root, RUN))

    @property
    def config(self) -> CampaignConfig:
        publish = {
            "method": "iqr",
            "keys": str(self.folder / "keys"),
            "probe": str(self.folder / "probe"),
            "rollout": {"cohorts": [0.5, 1.0], "soak_s": 0.0},
        }
        return CampaignConfig.model_validate(
            {
                "name": RUN,
                "store": self.root,
                "data": {"kind": "inbox"},
                "initial": {"data": {"kind": "folder", "root": "x"}},
                "bandwidth": {"images": 4},
                "methods": [{"kind": "iqr"}],
                "training": {"img_size": SIZE},
                "publish": publish | self.changes,
            }
        )

    def begin(self) -> None:
        """Let the run have begun, so that commands find it."""
        claim(self.config)
        sizes: dict[str, int] = {}
        table = write_bytes(self.root, b"table", ".parquet")
        arrangement = Arrangement(
            initial=table, batches=(), holdout=table, leftover=table, sizes=sizes
        )
        beginning = Beginning(
            started=datetime.now(UTC), arrangement=arrangement, class_names=CLASSES
        )
        BEGINNING.write(self.files.run.beginning, beginning)

    def register(self, gain: float, verdict: str | None = "accepted") -> int:
        """Register a version whose model is as sure as this, and decide on it."""
        data = tiny_model(gain)
        weights = write_bytes(self.root, f"weights {gain}".encode(), ".pt")
        table = write_bytes(self.root, b"table", ".parquet")
        exported = NodeModel(
            file=write_bytes(self.root, data, ".onnx"),
            size_bytes=len(data),
            img_size=SIZE,
            epochs=(1,),
            calibration=None,
            versions={},
        )
        checkpoint = Checkpoint(epoch=1, artifact=weights)
        card = register(
            self.files,
            Card(
                version=0,
                run=RUN,
                method="iqr",
                batch=len(read_log(self.files)),
                checkpoints=(checkpoint,),
                current=checkpoint,
                seen=table,
                evaluation=table,
                exported=exported,
            ),
        )
        if verdict is not None:
            decide(self.files, card.version, verdict, by="gate", reason="")  # type: ignore[arg-type]
        return card.version

    @property
    def history(self) -> History:
        return history_of(read_log(self.files))

    def entries(self, version: int) -> list[Entry]:
        return [each for each in read_log(self.files) if each.version == version]

    def kinds(self, version: int) -> list[str]:
        return [each.kind for each in self.entries(version)]

    @property
    def release(self) -> Release:
        targets = self.repository.read().targets.targets
        found = release_at(self.root, targets, "all")
        assert found is not None
        return found

    @property
    def plan(self) -> Rollout:
        found = ROLLOUT.read(rollout_place(self.root, "all"))
        assert found is not None
        return found

    def tell(self, node: str, **changes: Any) -> None:
        """Let a node put its status."""
        status = {"node": node, "time_s": time.time(), "group": "all"}
        place = self.publisher.root / "nodes" / node / "status.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(status | changes))

    def nodes_follow(self) -> None:
        """Let each node take what is published, if it is for it, and say so."""
        release = self.release
        for node in NODES:
            if release.includes(node):
                model = release.model.sha256[:12]
                self.tell(node, release=digest_of(release)[:12], model=model)

    def probation(self, version: int) -> ProbationRecord:
        found = PROBATION.read(self.files.probation(version))
        assert found is not None
        return found

    def score(
        self, version: int, before: float, now: float, n: int = 200, *, every_other: float = -1
    ) -> None:
        """Let so many frames have been scored, and as many with another score in between."""
        scores = [now] * n if every_other < 0 else [every_other, now] * n
        frames = (
            ScoredFrame(image_id=f"{number:032x}", weight=10.0, before=before, now=score)
            for number, score in enumerate(scores)
        )
        add_frames(self.files, version, tuple(frames))
