"""Frames of a folder that simulated nodes capture again and again; each is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.errors import InputError
from backhaul.node.fleetsettings import FleetConfig
from backhaul.node.happenings import Captured
from backhaul.node.lens import Lens
from backhaul.node.policies import AnyPolicy
from backhaul.node.ranks import Ranks
from backhaul.node.settings import NodeConfig
from backhaul.node.sight import Sight, utility_of
from backhaul.node.sources.scanned import SUFFIXES
from backhaul.untrusted import read_bytes
from backhaul.uplink.settings import FolderUplink

_COUNTER_BYTES = 8


class Looks:
    """What a model sees in each image of a folder, by policy.

    Args:
        config: The fleet.
        on_progress: Called with images done, and how many there are.

    Raises:
        InputError: If there are no images, or the model cannot be used.
    """

    def __init__(self, config: FleetConfig, on_progress: Callable[[int, int], None]) -> None:
        folder = Path(config.frames).expanduser()
        self.files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not self.files:
            raise InputError(f"frames: {folder}: expected images")
        self._lens = Lens(_as_node(config), Path(config.model).expanduser())
        self._sights: dict[tuple[str, int], Sight | None] = {}
        total = len(self.files) * len(config.policies)
        for policy in config.policies:
            for number in range(len(self.files)):
                self._sights[policy.name, number] = self._look(number, policy)
                on_progress(len(self._sights), total)
        self.value = self._values(config)

    @property
    def model(self) -> str:
        """Version of the model."""
        return self._lens.version

    def sight(self, policy: AnyPolicy, image: int, frame: int) -> Sight | None:
        """Return what is seen in an image as the frame of a number.

        The file is followed by that number, so that no two frames are equal.
        """
        seen = self._sights[policy.name, image]
        if seen is None:
            return None
        return replace(seen, content=seen.content + frame.to_bytes(_COUNTER_BYTES, "big"))

    def _look(self, number: int, policy: AnyPolicy) -> Sight | None:
        content = read_bytes(self.files[number])
        frame = Captured(self.files[number].name, 0.0, len(content))
        return self._lens.look(frame, content, policy).sight

    def _values(self, config: FleetConfig) -> FloatArray:
        """Return what each image is worth, in (0, 1), shape (n,)."""
        first = config.policies[0].name
        every = [self._sights[first, number] for number in range(len(self.files))]
        utility = [0.0 if s is None else utility_of(s.found, config.value) for s in every]
        ranks = Ranks(len(utility), utility)
        return np.array([ranks.place(each) for each in utility])


class Replay:
    """The camera of a simulated node.

    Args:
        looks: The images.
        config: The fleet.
        node: Number of the node.
        policy: What it goes by.
    """

    def __init__(self, looks: Looks, config: FleetConfig, node: int, policy: AnyPolicy) -> None:
        self._looks, self._policy = looks, policy
        n = len(looks.files)
        count = int(config.hours * 3_600 / config.every_s)
        begin = node * n // config.nodes
        self.images = (begin + np.arange(count)) % n
        at = (np.arange(count) + node / config.nodes) * config.every_s
        self.captured_s: FloatArray = at.astype(np.float64)

    def frames(self) -> Iterator[Captured]:
        """Yield the frames, in order of capture."""
        for number, t in enumerate(self.captured_s.tolist()):
            yield Captured(str(number), t, 0)

    def sight(self, frame: Captured) -> Sight | None:
        """Return what is seen in a frame."""
        number = int(frame.name)
        return self._looks.sight(self._policy, int(self.images[number]), number)


def _as_node(config: FleetConfig) -> NodeConfig:
    return NodeConfig(
        node="simulated",
        frames={"kind": "folder", "path": config.frames},
        model=config.model,
        look=config.look,
        uplink=FolderUplink(kind="folder", folder="."),
    )
