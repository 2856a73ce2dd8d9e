"""A run of the inbox whose images have arrived, for tests of triggers: nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import write_round
from backhaul.campaign.runrecords import BEGINNING, SETTING
from backhaul.campaign.runstate import RunState, advance, read_state
from backhaul.campaign.setting import Beginning, Setting
from backhaul.data.settings import InboxData
from backhaul.inbox.state import take_in
from backhaul.layout import INITIAL, RunFiles
from backhaul.measure.names import METRICS
from backhaul.storage.objects import write_bytes, write_value
from backhaul.triggers.decisions import Decisions
from backhaul.triggers.unplayed import Hourly, Unplayed
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import empty_image_set
from backhaul.values.results import Arrangement
from tests.agents import put_batch, told_of
from tests.nodes import CLASSES, Store, picture

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BATCH = 4
SEEN = [{"class_id": 0, "confidence": 0.9, "xyxy": [0, 0, 8, 12]}]
"""What a node saw: the label `HIT` is that object."""
HIT, OTHER = "0 0.25 0.5 0.5 1\n", "1 0.75 0.5 0.5 1\n"


def config_of(root: str, **changes: Any) -> CampaignConfig:
    """Return the campaign of the run."""
    return CampaignConfig.model_validate(
        {
            "name": "edge",
            "store": root,
            "control": False,
            "data": {"kind": "inbox"},
            "initial": {"data": {"kind": "folder", "root": root}},
            "batches": {"sampling_batch": BATCH},
            "bandwidth": {"images": 2},
            "methods": ["iqr"],
        }
        | changes
    )


@dataclass
class Arriving:
    """A run whose initial model is there, and a store whose inbox is filled."""

    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)
    n_dropped: int = 0

    def __post_init__(self) -> None:
        self.root = self.folder.as_posix()
        self.files = RunFiles(self.root, "edge")
        self.store = Store(self.root)
        empty = write_value(self.root, empty_image_set(CLASSES))
        nothing = Arrangement(
            initial=empty, batches=(), holdout=empty, leftover=empty, sizes={}
        )
        began = Beginning(started=NOON, arrangement=nothing, class_names=CLASSES)
        BEGINNING.write(self.files.beginning, began)
        setting = Setting(dataset=empty, batches=(), common=empty, old_test=empty)
        SETTING.write(self.files.setting, setting)
        write_round(self.files, self.round_of(INITIAL, None, 0.5))

    def round_of(self, label: str, batch: int | None, score: float) -> RoundRecord:
        """Return a round whose model has this in all metrics of the common set."""
        rows = [
            {"test_set": name, "class": of, **dict.fromkeys(METRICS, value)}
            for name, value in (("common", score), ("old_test", 0.1))
            for of in ("", *CLASSES)
        ]
        weights = write_bytes(self.root, f"{label} {batch}".encode(), ".pt")
        new = Checkpoint(epoch=1, artifact=weights)
        seen = write_value(self.root, empty_image_set(CLASSES))
        return RoundRecord(
            method=label,
            batch=batch,
            evaluation=write_value(self.root, pd.DataFrame(rows)),
            standing=Standing(seen=seen, checkpoints=(new,), current=new),
        )

    def with_triggers(self, triggers: Any) -> Arriving:
        """Let the campaign have these triggers."""
        self.changes["triggers"] = triggers
        return self

    @property
    def run(self) -> Hourly:
        config = config_of(self.root, **self.changes)
        assert isinstance(config.data, InboxData)
        return Hourly(config, config.data, self.files, f"{self.root}/labels")

    @property
    def state(self) -> RunState:
        return read_state(self.files)

    @property
    def decisions(self) -> Decisions:
        return Decisions(self.files)

    @property
    def unplayed(self) -> Unplayed:
        return Unplayed(self.run, self.state, self.decisions.read())

    def drop(self, count: int, *, why: str = "", probability: float = 0.0) -> list[str]:
        """Let pictures arrive in which the node saw `SEEN`; with `why`, told by its agent."""
        names = []
        for _ in range(count):
            data = picture(self.n_dropped)
            self.n_dropped += 1
            sidecar = told_of(
                data, detections=SEEN, why=why or "valued", probability=probability
            )
            name = f"cam/{sidecar['digest']}.jpg" if why else f"cam/{self.n_dropped:03d}.jpg"
            self.store.drop(name, data)
            if why:
                put_batch(self.store, "cam", [sidecar], self.n_dropped)
            else:
                beside = name.replace(".jpg", ".detections.json")
                self.store.drop(beside, json.dumps(SEEN).encode())
            names.append(name.removeprefix("cam/"))
        assert self.store.ingest().n_new == count
        take_in(self.run.config, self.files)
        return names

    def label(self, names: Iterable[str], line: str = HIT) -> None:
        """Put labels as an annotator does."""
        for name in names:
            file = self.folder / "labels" / "cam" / name.replace(".jpg", ".txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(line)

    def play(self, label: str = "iqr") -> None:
        """Let a method play what it may, as an hour does."""
        labels = self.run.labels
        for number in self.state.pending(label):
            write_round(self.files, self.round_of(label, number, 0.6))
            advance(self.files, lambda state, n=number: state.after(label, n, labels))  # type: ignore[misc]
