"""Two GPUs, two campaigns and an hour: what waits gets the next free GPU, hours come first."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.local.stack import BUCKET, PARENTS_AT_ONCE, Stack
from tests.e2e.conftest import FIXED
from tests.e2e.edge import BATCH, CONFIG, Edge
from tests.e2e.operator import DETECTOR_OF_TESTS, Operator, changed

pytestmark = [
    pytest.mark.s3,
    pytest.mark.services,
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.timeout(1200),
]

N_GPUS = 2  # of a stack without any
STORE = f"{BUCKET}/busy"
METHODS = ("iqr", "median-below-thresh", "true-random")
EPOCH_S = 4
POLL_S = 5.0
"""How long a run may be there before a worker hears of it."""
PATIENCE_S = 900


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Iterator[Stack]:
    deployments = ("campaign", "hourly", "initial-training", "method")
    with changed(shared_stack, dict.fromkeys(deployments, DETECTOR_OF_TESTS)):
        yield shared_stack


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Operator:
    return Operator(stack.environment)


@pytest.fixture(scope="module")
def edge(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Edge:
    edge = Edge.begin(tmp_path_factory.mktemp("scenes"), STORE, stack.seaweedfs.filesystem)
    edge.drop("cam1", range(BATCH))
    return edge


TRAINING = {
    **CONFIG["training"],
    "detector": {"use": FIXED["detector"], "params": {"epoch_s": EPOCH_S}},
}


def campaign(name: str, seed: int) -> dict[str, Any]:
    """A campaign of four methods, one of which is the control arm."""
    return {
        "name": name,
        "seed": seed,
        "store": "block://store/busy",
        "execution": "work-pool",
        "data": {"kind": "digits", "images": 44, "size_px": 64},
        "initial": {"images": 16, "train": 0.5, "valid": 0.25},
        "batches": {"sampling_batch": 12, "count": 1, "train": 0.5, "valid": 0.25},
        "bandwidth": {"images": 5},
        "methods": [{"kind": kind} for kind in METHODS],
        "augmentation": {"images_per_class": None, "flip": "none"},
        "training": TRAINING,
        "inference": CONFIG["inference"],
    }


@dataclass(frozen=True)
class Span:
    """A time in which a flow run was in one state."""

    kind: str
    began: datetime
    ended: datetime


@dataclass(frozen=True)
class Timeline:
    """What a flow run has gone through, as Prefect noted it."""

    name: str
    run: str
    queue: str
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, operator: Operator, run: dict[str, Any]) -> "Timeline":
        states = operator.get(f"flow_run_states/?flow_run_id={run['id']}")
        states.sort(key=lambda state: state["timestamp"])
        times = [at(state["timestamp"]) for state in states]
        spans = []
        for state, began, ended in zip(states, times, [*times[1:], times[-1]], strict=True):
            planned = state["state_details"].get("scheduled_time")
            if state["type"] == "SCHEDULED" and planned:
                began = max(began, at(planned))  # noqa: PLW2901 - until then it does not wait
            spans.append(Span(state["type"], began, max(began, ended)))
        return cls(run["name"], run["id"], run["work_queue_name"], tuple(spans))

    @property
    def taken(self) -> timedelta:
        """How long it had a worker."""
        return sum((s.ended - s.began for s in self.times("PENDING", "RUNNING")), timedelta())

    def times(self, *kinds: str) -> list[Span]:
        return [span for span in self.spans if span.kind in kinds]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def start_at(operator: Operator, deployment: str, when: datetime, **parameters: Any) -> str:
    """Start a run of a deployment as its schedule does, and return its id."""
    found = operator.get(f"deployments/name/{deployment}")
    details = {"scheduled_time": when.isoformat()}
    values = {
        "parameters": {**found["parameters"], **parameters},
        "state": {"type": "SCHEDULED", "state_details": details},
    }
    return str(operator.post(f"deployments/{found['id']}/create_flow_run", values)["id"])


@dataclass(frozen=True)
class Played:
    """The runs of the hour and of the campaigns, all over."""

    hour: Timeline
    planned: datetime
    endings: dict[str, str]
    waiting: list[list[str]]
    cancelled: list[str]
    on_gpus: list[Timeline]
    of_the_hour: set[str]


@pytest.fixture(scope="module")
def played(operator: Operator, edge: Edge) -> Played:
    one, other = campaign("one", 1), campaign("other", 2)
    first = [operator.start("campaign/campaign", config=config) for config in (one, other)]
    time.sleep(5)  # they are those that hold the leases
    again = [
        operator.start("campaign/campaign", config=one) for _ in range(PARENTS_AT_ONCE - 2)
    ]
    wait_for_methods(operator, first)
    planned = datetime.now(UTC) + timedelta(seconds=40)
    methods = [{"kind": "iqr"}, {"kind": "true-random"}]
    hours = edge.config(
        "block://store/busy", execution="work-pool", training=TRAINING, methods=methods
    )
    hour = start_at(operator, "hourly/hourly", planned, config=hours)
    while operator.state(hour)["name"] != "Running":
        assert datetime.now(UTC) < planned + timedelta(minutes=5)
        time.sleep(0.5)
    waiting = [wait_until_it_rests(operator, run) for run in again]
    for run in again:
        operator.cancel(run)
    parents = [*first, hour]
    endings = {run: _ending(operator.wait(run, PATIENCE_S)) for run in parents}
    children = {run: operator.children(run).values() for run in parents}
    return Played(
        hour=Timeline.of(operator, operator.get(f"flow_runs/{hour}")),
        planned=planned,
        endings=endings,
        waiting=waiting,
        cancelled=[str(operator.wait(run)["name"]) for run in again],
        on_gpus=[Timeline.of(operator, run) for runs in children.values() for run in runs],
        of_the_hour={run["id"] for run in children[hour]},
    )


def _ending(state: Any) -> str:
    """Return the name of a final state, with its message where something is wrong."""
    name = str(state["name"])
    return name if name == "Completed" else f"{name}: {state['message']}"


def wait_until_it_rests(operator: Operator, run: str) -> list[str]:
    """Return the states of a run that only waits, once it has given its slot back."""
    deadline = time.monotonic() + PATIENCE_S
    while operator.state(run)["type"] != "SCHEDULED":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return operator.states(run)


def wait_for_methods(operator: Operator, campaigns: list[str]) -> None:
    """Wait until both campaigns have started all of their methods."""
    deadline = time.monotonic() + PATIENCE_S
    while any(len(operator.children(run)) < 5 for run in campaigns):
        assert time.monotonic() < deadline
        time.sleep(1)


def test_all_end_well(played: Played) -> None:
    assert set(played.endings.values()) == {"Completed"}
    assert len(played.on_gpus) == 2 * 5 + 3


def test_no_gpu_is_idle_while_something_waits(played: Played) -> None:
    """From one run to the next a process ends and another is asked for, which is all.

    One that was pinned to the other GPU waited for at least one run there.
    """
    busy = [s for run in played.on_gpus for s in run.times("PENDING", "RUNNING")]
    waits = [s for run in played.on_gpus for s in run.times("SCHEDULED")]
    edges = sorted({time for span in (*busy, *waits) for time in (span.began, span.ended)})
    idle_since, longest = None, timedelta(0)
    for began, ended in itertools.pairwise(edges):
        on_gpus = sum(span.began <= began and ended <= span.ended for span in busy)
        waiting = sum(span.began <= began and ended <= span.ended for span in waits)
        assert on_gpus <= N_GPUS
        if on_gpus < N_GPUS and waiting:
            idle_since = idle_since or began
            longest = max(longest, ended - idle_since)
        else:
            idle_since = None
    assert longest < min(run.taken for run in played.on_gpus)


def test_the_hour_begins_at_its_time_whatever_waits(played: Played) -> None:
    (running,) = played.hour.times("RUNNING")
    assert running.began - played.planned < timedelta(seconds=30)


def test_what_the_hour_starts_gets_the_next_free_gpus(played: Played) -> None:
    hours = [run for run in played.on_gpus if run.run in played.of_the_hour]
    others = [run for run in played.on_gpus if run.run not in played.of_the_hour]
    assert {run.queue for run in hours} == {"hours"}
    assert {run.queue for run in others} == {"default"}
    late = timedelta(seconds=POLL_S)
    for run in hours:
        waits, taken = run.times("SCHEDULED")[0].began, run.times("PENDING")[0].began
        overtaken = [
            other.name
            for other in others
            for span in other.times("PENDING")
            if waits + late < span.began < taken
        ]
        assert overtaken == [], run.name


def test_a_campaign_that_only_waits_gives_its_slot_back(played: Played) -> None:
    """With those that go on they would have all slots."""
    for states in played.waiting:
        assert "AwaitingRetry" in states
    assert played.cancelled == ["Cancelled"] * len(played.waiting)
