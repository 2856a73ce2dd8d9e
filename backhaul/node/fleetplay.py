"""Play a fleet of simulated nodes, once with each policy."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.link.hours import MINUTES_A_DAY, up_minutes
from backhaul.node.bound import most_value
from backhaul.node.fleetsettings import FleetConfig
from backhaul.node.happenings import Effect, Write
from backhaul.node.policies import AnyPolicy
from backhaul.node.replay import Looks, Replay
from backhaul.node.simulation import Ended, Faults, Heap, SimulatedNode
from backhaul.node.standing import Rules
from backhaul.node.trace import Trace
from backhaul.node.virtual import VirtualDisk, VirtualHome
from backhaul.randomness import generator

PIECE_S = 600.0
CUTS = 12
AFTER_S = 3_600.0
"""What is under way when the last frame was captured may still arrive."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a policy brought home, of all nodes together.

    Args:
        policy: Its name.
        totals: Counts over all nodes, see `Window`, and ``waiting``.
        cuts_s: Times, shape (n,).
        arrived: Value that had arrived by then; an image counts once for a node, however often
            its camera saw it, shape (n,).
        bound: The most that could have, shape (n,).
        scenes: Distinct images among those that arrived.
        again_bytes: Bytes of frames that home had already.
        peak_bytes: The most that frames took of a disk.
        journal_bytes: The largest journal.
    """

    policy: str
    totals: dict[str, int]
    cuts_s: FloatArray
    arrived: FloatArray
    bound: FloatArray
    scenes: int
    again_bytes: int
    peak_bytes: int
    journal_bytes: int

    @property
    def share(self) -> float:
        """The value that had arrived at the end, as a part of the bound."""
        return float(self.arrived[-1] / self.bound[-1]) if self.bound[-1] else 1.0


def play_fleet(
    config: FleetConfig, looks: Looks, on_progress: Callable[[str, float], None]
) -> list[Outcome]:
    """Return what each policy brought home.

    Args:
        config: The fleet.
        looks: What is seen in its images.
        on_progress: Called with the policy, and the hours that were played.
    """
    return [_play(config, looks, policy, on_progress) for policy in config.policies]


def _play(
    config: FleetConfig,
    looks: Looks,
    policy: AnyPolicy,
    on_progress: Callable[[str, float], None],
) -> Outcome:
    heap = Heap()
    with tempfile.TemporaryDirectory() as folder:
        nodes = [
            _Playing(config, looks, policy, number, heap, Path(folder))
            for number in range(config.nodes)
        ]
        for each in nodes:
            each.node.start()
        end_s = config.hours * 3_600 + AFTER_S
        for hour in range(1, int(np.ceil(end_s / 3_600)) + 1):
            heap.run(min(hour * 3_600.0, end_s))
            on_progress(policy.name, hour)
        outcome = _outcome(config, policy, nodes, looks, end_s)
        for each in nodes:
            if each.node.performer is not None:
                each.node.end()
    return outcome


class _Playing:
    """One node of a fleet, and what it chose."""

    def __init__(
        self,
        config: FleetConfig,
        looks: Looks,
        policy: AnyPolicy,
        number: int,
        heap: Heap,
        folder: Path,
    ) -> None:
        name = f"node-{number:03d}"
        rng = generator(config.seed, "fleet", number)
        self.replay = Replay(looks, config, number, policy)
        self.trace = _trace(config, rng)
        self.frames: dict[str, int] = {}
        days = config.hours / 24
        kills = rng.poisson(config.kills_a_day * days)
        self._kills_s = sorted(rng.uniform(0, config.hours * 3_600, kills).tolist())
        self._heap = heap
        self.folder = folder / name
        self.folder.mkdir()
        radio = config.radio
        self.node = SimulatedNode(
            rules=Rules(
                node=name,
                policies=(policy,),
                link=config.link,
                most_bytes=config.most_bytes,
                seed=config.seed,
                model=looks.model,
                status_s=3_600.0,
            ),
            folder=self.folder,
            scenery=self.replay,
            trace=self.trace,
            heap=heap,
            home=VirtualHome(),
            rng=rng,
            faults=Faults(reset=radio.reset, lost_answer=radio.lost_answer, answer_s=0.2),
            disk=VirtualDisk(),
            before=self._before,
        )

    def _before(self, effect: Effect) -> None:
        if isinstance(effect, Write):
            self.frames[effect.kept.frame.digest] = int(effect.kept.sidecar["frame_id"])
        if self._kills_s and self._heap.t >= self._kills_s[0]:
            self._kills_s.pop(0)
            raise Ended(power=len(self._kills_s) % 2 == 0, away_s=5.0)


def _trace(config: FleetConfig, rng: np.random.Generator) -> Trace:
    """Draw what the link of a node carries."""
    radio = config.radio
    begins = np.arange(0.0, config.hours * 3_600 + 2 * AFTER_S, PIECE_S)
    swing = np.log(radio.swing)
    rates = radio.kbit_s * 125 * np.exp(rng.uniform(-swing, swing, len(begins)))
    if radio.down:
        down = up_minutes(radio.down, 60)
        minute = (begins // 60).astype(np.int64) % MINUTES_A_DAY
        rates[np.array(down)[minute]] = 0.0
    rates[-1] = radio.kbit_s * 125
    return Trace(begins, rates)


def _outcome(
    config: FleetConfig, policy: AnyPolicy, nodes: list[_Playing], looks: Looks, end_s: float
) -> Outcome:
    cuts = np.linspace(end_s / CUTS, end_s, CUTS)
    arrived, bound = np.zeros(CUTS), np.zeros(CUTS)
    totals, scenes = Counter[str](), set[int]()
    for each in nodes:
        came = _first_arrivals(each)
        images, first = np.unique(each.replay.images, return_index=True)
        captured_s, size = each.replay.captured_s[first], _sizes(looks, policy, images)
        times = np.array(list(came.values()))
        worth = looks.value[np.array(list(came), dtype=np.int64)]
        scenes.update(came)
        for k, cut in enumerate(cuts.tolist()):
            arrived[k] += worth[times <= cut].sum()
            bound[k] += most_value(captured_s, size, looks.value[images], each.trace, cut)
        if each.node.performer is not None:
            at = each.node.agent.standing
            totals.update(at.totals())
            totals["waiting"] += len(at.queue)
    return Outcome(
        policy=policy.name,
        totals=dict(totals),
        cuts_s=cuts,
        arrived=arrived,
        bound=bound,
        scenes=len(scenes),
        again_bytes=sum(_again_bytes(each) for each in nodes),
        peak_bytes=max(each.node.disk.peak_bytes for each in nodes),
        journal_bytes=max(_size_of(each.folder) for each in nodes),
    )


def _first_arrivals(each: _Playing) -> dict[int, float]:
    """Return when each image first arrived from a node: it is worth nothing a second time."""
    home, first = each.node.home.arrived, dict[int, float]()
    for digest, frame in each.frames.items():
        if digest in home:
            image = int(each.replay.images[frame])
            first[image] = min(home[digest], first.get(image, np.inf))
    return first


def _sizes(looks: Looks, policy: AnyPolicy, images: IntArray) -> FloatArray:
    every = (looks.sight(policy, image, 0) for image in images.tolist())
    sizes = [1.0 if sight is None else float(len(sight.content)) for sight in every]
    return np.array(sizes, dtype=np.float64)


def _again_bytes(each: _Playing) -> int:
    home = each.node.home
    return sum((home.came[d] - 1) * home.objects[d] for d in each.frames if d in home.objects)


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
