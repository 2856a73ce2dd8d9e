"""A small world for tests of the node: made frames, and the agent in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.link.settings import Link
from backhaul.node.happenings import Captured
from backhaul.node.policies import StreamPolicy
from backhaul.node.sight import Sight
from backhaul.node.simulation import Heap, SimulatedNode
from backhaul.node.standing import Rules
from backhaul.node.trace import Trace
from backhaul.node.virtual import VirtualDisk, VirtualHome
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections

UNLIMITED = Link(uplink_kbit_s=1e9)
ADDITIVE = StreamPolicy(
    utility="confidence", aggregate="max", diversity="none", suppress=False, explore=0.0
)


def found_in(name: str, confidence: FloatArray) -> FusedDetections:
    """Return an object for each confidence."""
    n = len(confidence)
    return FusedDetections(
        image_id=names_of([name] * n),
        class_id=np.zeros(n, dtype=np.int64),
        confidence=np.asarray(confidence, dtype=np.float64),
        xyxy=np.tile([1.0, 2.0, 30.0, 40.0], (n, 1)),
        confidence_std=np.zeros(n),
        votes=np.ones(n, dtype=np.int64),
        box_spread=np.zeros(n),
    )


@dataclass(eq=False)
class MadeFrames:
    """Frames of random content, size and value, captured at given times."""

    captured_s: FloatArray
    seed: int = 0
    mean_bytes: float = 8_000.0
    width: int = 16
    sizes: dict[str, int] = field(default_factory=dict)

    def frames(self) -> Iterator[Captured]:
        for number, t in enumerate(self.captured_s.tolist()):
            size = len(self._content(number))
            self.sizes[f"f{number}"] = size
            yield Captured(f"f{number}", t, size)

    def sight(self, frame: Captured) -> Sight:
        number = int(frame.name[1:])
        rng = np.random.default_rng([self.seed, 1, number])
        vector = rng.normal(size=self.width).astype(np.float32)
        found = found_in(frame.name, rng.uniform(0, 1, 1))
        return Sight(found, vector, None, self._content(number), ".jpg", 64, 48)

    def _content(self, number: int) -> bytes:
        rng = np.random.default_rng([self.seed, 2, number])
        size = int(self.mean_bytes * rng.lognormal(0, 0.6)) + 100
        return rng.bytes(size)


def world(folder: Path, captured_s: FloatArray, trace: Trace, **changes: Any) -> SimulatedNode:
    """Return a node that has not been started."""
    rules: dict[str, Any] = {"link": UNLIMITED, "most_bytes": 10**9, "policies": (ADDITIVE,)}
    rules |= {
        k: changes.pop(k)
        for k in ("link", "most_bytes", "policies", "seed", "status_s")
        if k in changes
    }
    made = changes.pop("made", {})
    seed = rules.get("seed", 0)
    parts: dict[str, Any] = {
        "rules": Rules(node="cam", **rules),
        "folder": folder,
        "scenery": MadeFrames(captured_s, **made),
        "heap": Heap(),
        "home": VirtualHome(),
        "rng": np.random.default_rng(seed),
        "disk": VirtualDisk(),
        "trace": trace,
    }
    parts |= changes
    return SimulatedNode(**parts)
