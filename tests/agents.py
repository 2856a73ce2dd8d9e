"""Agents of nodes that put their files home, for tests: the real agent in virtual time."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.node.happenings import (
    Captured,
    Delivered,
    FrameParcel,
    Send,
    SidecarParcel,
    SummaryParcel,
)
from backhaul.node.parcels import pack_frame, pack_sidecars, pack_status, pack_summary
from backhaul.node.policies import AnyPolicy
from backhaul.node.sight import Sight
from backhaul.node.simulation import Heap, SimulatedNode
from backhaul.node.standing import Rules
from backhaul.node.trace import Trace
from backhaul.node.virtual import VirtualHome
from backhaul.storage.objects import replace
from backhaul.uplink.folder import FolderHome
from tests.nodes import Store
from tests.nodeworld import UNLIMITED, found_in

WINDOW_S = 3600
DETECTION = {
    "class_id": 1,
    "confidence": 0.5,
    "xyxy": [1, 2, 9, 10],
    "votes": 3,
    "scores": [0.1, 0.5],
}


@dataclass(eq=False)
class FileFrames:
    """Image files as frames, one every so many seconds, in which one object is seen."""

    files: Sequence[Path]
    every_s: float = 60.0

    def frames(self) -> Iterator[Captured]:
        for number, file in enumerate(self.files):
            yield Captured(str(number), 1 + number * self.every_s, file.stat().st_size)

    def sight(self, frame: Captured) -> Sight:
        rng = np.random.default_rng(int(frame.name))
        found = found_in(frame.name, rng.uniform(0, 1, 1))
        vector = rng.normal(size=16).astype(np.float32)
        content = self.files[int(frame.name)].read_bytes()
        return Sight(found, vector, None, content, ".png", 64, 64)


@dataclass(eq=False)
class PuttingNode(SimulatedNode):
    """A node whose parcels are real files, put into a folder at once."""

    put_home: FolderHome = field(kw_only=True)

    def _send(self, effect: Send) -> None:
        node, at = self.rules.node, self.agent.standing
        match effect.parcel:
            case FrameParcel(digest):
                packed = pack_frame(node, self.disk, digest)
            case SidecarParcel() as parcel:
                frames = {frame.digest: frame for frame in (*at.untold.values(), *at.queue)}
                packed = pack_sidecars(node, self.disk, parcel, frames)
            case SummaryParcel() as parcel:
                packed = pack_summary(node, parcel)
            case _:
                packed = pack_status(node, {"node": node})
        put = self.put_home.put(packed.name, packed.data)
        delivered = Delivered(effect.parcel, put.traffic.up_bytes, 0)
        self.heap.at(self.heap.t + 1, self._of_this_life(delivered))


def play_node(
    node: str,
    store: Path,
    journal: Path,
    files: Sequence[Path],
    policies: tuple[AnyPolicy, ...],
) -> SimulatedNode:
    """Let a node capture a file a minute, choose in windows of an hour, and put all home."""
    link = UNLIMITED.model_copy(update={"window_s": WINDOW_S})
    journal.mkdir(parents=True)
    played = PuttingNode(
        rules=Rules(node=node, policies=policies, link=link, most_bytes=10**8, model="m1"),
        folder=journal,
        scenery=FileFrames(files),
        trace=Trace(np.zeros(1), np.full(1, 1e9)),
        heap=Heap(),
        home=VirtualHome(),
        rng=np.random.default_rng(0),
        put_home=FolderHome(store),
    )
    played.start()
    played.heap.run(60.0 * len(files) + 3 * WINDOW_S)
    return played


# Files as agents put them, one by one


def told_of(picture: bytes, **changes: Any) -> dict[str, Any]:
    """Return a sidecar as it is in a batch."""
    told = {
        "schema": 1,
        "frame_id": "0007",
        "digest": hashlib.sha256(picture).hexdigest(),
        "captured_s": 1_764_000_000.5,
        "number": 7,
        "model": "m1",
        "policy": "own",
        "window": 12,
        "why": "explored",
        "value": 0.5,
        "probability": 0.1,
        "detections": [
            {
                "class_id": 1,
                "confidence": 0.5,
                "xyxy": [1, 2, 9, 10],
                "votes": 3,
                "scores": [0.1, 0.5],
            }
        ],
        "embedding": "AAA=",
        "embedding_of": "descriptors",
    }
    return told | changes


def put_picture(store: Store, node: str, picture: bytes) -> str:
    """Put a picture as an agent does, and return its name below the inbox."""
    name = f"{node}/{hashlib.sha256(picture).hexdigest()}.jpg"
    store.drop(name, picture)
    return name


def put_batch(store: Store, node: str, told: Any, number: int = 1) -> str:
    """Put a batch of sidecars, and return its name below the nodes' folder."""
    data = (
        told if isinstance(told, bytes) else gzip.compress(json.dumps(told).encode(), mtime=0)
    )
    name = f"{node}/sidecars/{number:08d}-{hashlib.sha256(data).hexdigest()[:16]}.json.gz"
    replace(f"{store.root}/nodes/{name}", data)
    return name


def put_window(store: Store, node: str, number: int, /, **changes: Any) -> str:
    """Put the summary of a window, and return its name below the nodes' folder."""
    summary: dict[str, Any] = {"schema": 1, "node": node, "number": number, "model": "m1"}
    summary |= {
        "policy": "own",
        "seen": 60,
        "sent": 6,
        "chosen": 8,
        "counts": {"suppressed": 9},
    }
    summary |= {"displaced": {"cap": 2}, "seen_bytes": 600, "sent_bytes": 60, "up_bytes": 70}
    summary |= {"confidence": [number, 0, 0, 0, 0, 0, 0, 0, 0, 4], "classes": {"0": 3, "1": 1}}
    data = json.dumps(summary | changes).encode()
    name = f"{node}/windows/{number:010d}-{hashlib.sha256(data).hexdigest()[:16]}.json"
    replace(f"{store.root}/nodes/{name}", data)
    return name
