"""How much value arrives over a bad link: our node beside the uploaders of others.

    python -m benchmarks.rivals

Others' uploaders are written here from their documented behaviour: what they keep, in which
order they send, what they drop, and what a kill costs them. All have the same frames, link,
faults and kills in virtual time. None of them chooses by value; that is what is measured. They
get what their documents promise and no more faults than we have: a file that broke off is tried
again, and is not sent twice where they ask first.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.link.settings import Link
from backhaul.node.bound import most_value
from backhaul.node.happenings import Captured, Effect
from backhaul.node.policies import StreamPolicy
from backhaul.node.sight import Sight
from backhaul.node.simulation import Ended, Faults, Heap, SimulatedNode
from backhaul.node.standing import Rules
from backhaul.node.trace import Trace
from backhaul.node.virtual import VirtualHome
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections

HOUR = 3_600.0
CAP_BYTES = 200_000_000
FAULTS = Faults(reset=0.1, lost_answer=0.02, stall_s=20.0, answer_s=0.3)


@dataclass(frozen=True, eq=False)
class Setting:
    """What all have in common: frames, link, and when the process is killed."""

    captured_s: FloatArray
    size_bytes: IntArray
    value: FloatArray
    link: Trace
    kills_s: FloatArray
    seed: int

    @staticmethod
    def drawn(seed: int, n: int = 1_000) -> Setting:
        """Return frames of a day, a link that carries a tenth of them, and its outages."""
        rng = np.random.default_rng(seed)
        captured = np.sort(rng.uniform(0, 8 * HOUR, n))
        sizes = (rng.lognormal(0, 0.6, n) * 300_000).astype(np.int64) + 5_000
        begins = np.arange(0.0, 12 * HOUR, 900.0)
        usual = sizes.sum() / 10 / (8 * HOUR)
        rates = usual * rng.choice([0.0, 0.5, 1.0, 2.0], size=len(begins))
        rates[8:12] = 0.0  # an hour without a link
        rates[-1] = usual
        kills = np.sort(rng.uniform(0, 9 * HOUR, 20))
        value = rng.uniform(0, 1, n)
        return Setting(captured, sizes, value, Trace(begins, rates), kills, seed)


@dataclass(eq=False)
class Rival:
    """An uploader that sends one file after the other, in the order of its queue."""

    setting: Setting
    heap: Heap
    name: str = "first in, first out"
    survives: bool = True
    resumes: bool = False
    home: VirtualHome = field(default_factory=VirtualHome)

    def __post_init__(self) -> None:
        self.queue: deque[int] = deque()
        self.rng = np.random.default_rng([self.setting.seed, 7])
        self.is_busy, self.life, self.failures, self.wasted_bytes = False, 0, 0, 0
        self.doubtful: set[int] = set()
        self.done_bytes: dict[int, int] = {}
        for number, t in enumerate(self.setting.captured_s.tolist()):
            self.heap.at(t, lambda number=number: self.capture(number))  # type: ignore[misc]
        for t in self.setting.kills_s.tolist():
            self.heap.at(t, self.kill)

    def capture(self, number: int) -> None:
        self.take(number)
        self.send()

    def take(self, number: int) -> None:
        self.queue.append(number)

    def next(self) -> int | None:
        return self.queue[0] if self.queue else None

    def kill(self) -> None:
        self.life += 1
        self.is_busy = False
        if not self.survives:
            self.queue.clear()
        self.send()

    def send(self) -> None:
        number = None if self.is_busy else self.next()
        if number is None:
            return
        self.is_busy, t = True, self.heap.t
        if number in self.doubtful and str(number) in self.home.objects:
            self._later(t, lambda: self.sent(number))
            return
        size = int(self.setting.size_bytes[number])
        left = size - (self.done_bytes.get(number, 0) if self.resumes else 0)
        if self.rng.random() < FAULTS.reset:
            gone = int(left * self.rng.random())
            self.done_bytes[number] = self.done_bytes.get(number, 0) + gone
            self.wasted_bytes += 0 if self.resumes else gone
            ends = self.setting.link.ends(t, gone) + FAULTS.stall_s * float(self.rng.random())
            self._later(ends, lambda: self.failed(number))
            return
        ends = self.setting.link.ends(t, left)
        self._later(ends, lambda: self.home.take(str(number), size, ends))
        if self.rng.random() < FAULTS.lost_answer:
            self.doubtful.add(number)
            self._later(ends + FAULTS.stall_s, lambda: self.failed(number))
        else:
            self._later(ends + FAULTS.answer_s, lambda: self.sent(number))

    def sent(self, number: int) -> None:
        self.is_busy, self.failures = False, 0
        if number in self.queue:
            self.queue.remove(number)
        self.send()

    def failed(self, number: int) -> None:
        self.is_busy = False
        self.failures += 1
        wait_s = min(2.0**self.failures, 600.0) * float(self.rng.random())
        self._later(self.heap.t + wait_s, self.send)

    def disk_bytes(self) -> int:
        return int(self.setting.size_bytes[list(self.queue)].sum())

    def _later(self, t: float, call: object) -> None:
        life = self.life

        def run() -> None:
            if life == self.life and callable(call):
                call()

        self.heap.at(t, run)


class Roboflow(Rival):
    """A queue of 512 in memory; when it is full, the newest frame is dropped."""

    def take(self, number: int) -> None:
        if len(self.queue) < 512:  # noqa: PLR2004 - documented
            self.queue.append(number)


class Viam(Rival):
    """Files on disk; when it is 90 % full and ours are half of that, every fifth is deleted."""

    def take(self, number: int) -> None:
        self.queue.append(number)
        if self.disk_bytes() > 0.9 * CAP_BYTES:
            underway = self.queue[0]
            kept = [n for place, n in enumerate(self.queue) if place % 5 != 4 or n == underway]  # noqa: PLR2004
            self.queue = deque(kept)


class Waggle(Rival):
    """rsync of a folder, with partial files: what has arrived of a file is not sent again."""

    def take(self, number: int) -> None:
        if self.disk_bytes() + self.setting.size_bytes[number] <= CAP_BYTES:
            self.queue.append(number)


class Greengrass(Rival):
    """A persistent stream that overwrites the oldest when it is full."""

    def take(self, number: int) -> None:
        self.queue.append(number)
        while self.disk_bytes() > CAP_BYTES:
            self.queue.popleft()


class GreengrassRejecting(Waggle):
    """A persistent stream that rejects what is new when it is full."""


class TargetRatio(Rival):
    """One frame in so many is taken, as many as the link carries on average."""

    def take(self, number: int) -> None:
        if number % 10 == 0:
            self.queue.append(number)


class Reservoir(Rival):
    """The strong one: a persistent queue that is a uniform sample of all frames so far."""

    n_seen = 0

    def take(self, number: int) -> None:
        self.n_seen += 1
        self.queue.append(number)
        while self.disk_bytes() > CAP_BYTES:
            del self.queue[int(self.rng.integers(len(self.queue)))]
        self.queue.rotate(int(self.rng.integers(len(self.queue))) if not self.is_busy else 0)


def rivals(setting: Setting, heap: Heap) -> list[Rival]:
    """Return all uploaders of others."""
    return [
        Roboflow(setting, heap, "Roboflow inference", survives=False),
        Viam(setting, heap, "Viam data manager"),
        Waggle(setting, heap, "Waggle (rsync)", resumes=True),
        Greengrass(setting, heap, "Greengrass, overwriting"),
        GreengrassRejecting(setting, heap, "Greengrass, rejecting"),
        TargetRatio(setting, heap, "target ratio"),
        Reservoir(setting, heap, "uniform reservoir"),
    ]


@dataclass(eq=False)
class _Frames:
    """The frames of a setting, whose value our node sees."""

    setting: Setting

    def frames(self) -> Iterator[Captured]:
        for number, t in enumerate(self.setting.captured_s.tolist()):
            yield Captured(str(number), t, int(self.setting.size_bytes[number]))

    def sight(self, frame: Captured) -> Sight:
        number = int(frame.name)
        content = number.to_bytes(4, "big") * (frame.size_bytes // 4)
        found = FusedDetections(
            image_id=names_of([frame.name]),
            class_id=np.zeros(1, dtype=np.int64),
            confidence=self.setting.value[number : number + 1],
            xyxy=np.array([[0.0, 0.0, 9.0, 9.0]]),
            confidence_std=np.zeros(1),
            votes=np.ones(1, dtype=np.int64),
            box_spread=np.zeros(1),
        )
        vector = np.zeros(4, np.float32)
        return Sight(found, vector, None, content, ".jpg", 64, 48)


def ours(setting: Setting, heap: Heap, folder: Path) -> tuple[SimulatedNode, dict[str, int]]:
    """Return our node, and which frame each digest is, as it comes to know them."""
    kills = deque(setting.kills_s.tolist())
    numbers: dict[str, int] = {}

    def before(effect: Effect) -> None:
        kept = getattr(effect, "kept", None)
        if kept is not None:
            numbers[kept.frame.digest] = int(kept.sidecar["frame_id"])
        if kills and heap.t >= kills[0]:
            kills.popleft()
            raise Ended(power=len(kills) % 2 == 0)

    policy = StreamPolicy(
        utility="confidence", aggregate="max", diversity="none", suppress=False, explore=0.0
    )
    rules = Rules("ours", (policy,), Link(uplink_kbit_s=1e9), CAP_BYTES, seed=setting.seed)
    node = SimulatedNode(
        rules,
        folder,
        _Frames(setting),
        setting.link,
        heap,
        VirtualHome(),
        np.random.default_rng([setting.seed, 7]),
        FAULTS,
        before=before,
    )
    node.start()
    return node, numbers


def shares(setting: Setting, arrived: dict[int, float]) -> list[float]:
    """Return the value that has arrived, as a share of the bound, hour by hour."""
    found = []
    for cut in np.arange(1.0, 11.0).tolist():
        most = most_value(
            setting.captured_s,
            setting.size_bytes.astype(np.float64),
            setting.value,
            setting.link,
            cut * HOUR,
        )
        has = sum(setting.value[n] for n, t in arrived.items() if t <= cut * HOUR)
        found.append(float(has / most) if most else 1.0)
    return found


def compare(seed: int, n: int = 1_000) -> list[tuple[str, list[float], int, int]]:
    """Return of each uploader: name, shares of the bound, bytes wasted, bytes sent again."""
    setting, rows = Setting.drawn(seed, n), []
    heap = Heap()
    with tempfile.TemporaryDirectory() as folder:
        node, numbers = ours(setting, heap, Path(folder))
        others = rivals(setting, heap)
        heap.run(11 * HOUR)
        home = node.home.arrived
        arrived = {numbers[digest]: t for digest, t in home.items() if digest in numbers}
        again = sum(
            (node.home.came[digest] - 1) * int(setting.size_bytes[n])
            for digest, n in numbers.items()
            if node.home.came[digest]
        )
        rows.append(("ours", shares(setting, arrived), node.wasted_bytes, again))
        if node.performer is not None:
            node.end()
    for rival in others:
        arrived = {int(name): t for name, t in rival.home.arrived.items()}
        rows.append(
            (rival.name, shares(setting, arrived), rival.wasted_bytes, rival.home.again_bytes)
        )
    return rows


def main() -> None:
    """Print the share of the bound that each brings home, over three links."""
    found = [compare(seed) for seed in range(3)]
    print(f"{'uploader':26}{'mean':>8}{'worst':>8}{'end':>8}{'wasted MB':>12}{'again MB':>10}")
    for rows in zip(*found, strict=True):
        every = np.array([row[1] for row in rows])
        wasted, again = (np.mean([row[k] for row in rows]) / 1e6 for k in (2, 3))
        print(
            f"{rows[0][0]:26}{every.mean():8.3f}{every.min():8.3f}{every[:, -1].mean():8.3f}"
            f"{wasted:12.2f}{again:10.2f}"
        )


if __name__ == "__main__":
    main()
