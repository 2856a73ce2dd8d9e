"""What goes wrong in production, tried on all of its services at once.

Each scenario plays the same small campaign in a store of its own, where nothing is cached, with
several faults in it. Its end must be that of the campaign that nothing disturbed. Its detector
trains as long as a test needs to meet it, without a processor.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from deployments.local.stack import BUCKET
from tests.e2e.conftest import FIXED
from tests.e2e.operator import DETECTOR_OF_TESTS, changed
from tests.e2e.stack import DiskWorker, FaultyStack, Place, faulty_stack, kill, wait_for
from tests.faulty_proxy import Faults

pytestmark = [
    pytest.mark.s3,
    pytest.mark.services,
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.timeout(1800),  # the fixtures play whole campaigns
]

DISK_BYTES = 4 * 2**20
"""A disk for local copies that has no room for a checkpoint."""
WEIGHTS_BYTES = 6 * 2**20
DOWN_S = 60.0
EPOCHS = 4

CONFIG: dict[str, Any] = {
    "seed": 2,
    "execution": "work-pool",
    "initial": {"images": 16, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": 12, "count": 1, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 5},
    "methods": [{"kind": "iqr"}, {"kind": "true-random"}],
    "control": False,
    "augmentation": {"images_per_class": None, "flip": "none"},
    "training": {
        "detector": {
            "use": FIXED["detector"],
            "params": {"epoch_s": 3, "weights_bytes": WEIGHTS_BYTES},
        },
        "model": FIXED["model"],
        "max_epochs": EPOCHS,
        "retrain_max_epochs": 3,
        "device": "cpu",
    },
    "inference": {"conf_check_num": 2, "conf_thres": 0.001},
}
METHODS = ("iqr", "true-random")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    folder = tmp_path_factory.mktemp("faults") / "stack"
    own = dict.fromkeys(("campaign", "initial-training", "method"), DETECTOR_OF_TESTS)
    with faulty_stack(folder, Faults()) as stack, changed(stack.stack, own):
        put_scenes(stack, "scenes")
        yield stack
    shutil.rmtree((folder / "postgresql").resolve(), ignore_errors=True)  # may lie elsewhere


def put_scenes(services: FaultyStack, name: str) -> None:
    """Put the data set of all campaigns into the bucket."""
    with tempfile.TemporaryDirectory() as folder:
        scenes = Path(folder) / "scenes"
        write_scenes(scenes, DigitsData(images=40, size_px=64))
        services.stack.seaweedfs.filesystem.put(str(scenes), f"{BUCKET}/{name}", recursive=True)


def poison(services: FaultyStack, name: str) -> None:
    """Add an image to a data set that was cut, as by a broken line, with its label."""
    fs, root = services.stack.seaweedfs.filesystem, f"{BUCKET}/{name}"
    image = min(fs.find(f"{root}/images"))
    content = fs.cat_file(image)
    fs.pipe_file(f"{root}/images/zz.png", content[: len(content) // 2])
    fs.pipe_file(f"{root}/labels/zz.txt", b"0 0.5 0.5 0.2 0.2\n")


def config(place: Place, scenes: str = "scenes") -> dict[str, Any]:
    data = {"kind": "folder", "root": f"s3://{BUCKET}/{scenes}"}
    return {**CONFIG, "name": place.name, "store": place.uri, "data": data}


def start(services: FaultyStack, place: Place, scenes: str = "scenes") -> str:
    return services.start("campaign/campaign", config=config(place, scenes))


def of_method(services: FaultyStack, place: Place, parent: str, label: str) -> str:
    return services.child(parent, f"{place.name}-{label}")


@pytest.fixture(scope="module")
def truth(services: FaultyStack) -> Place:
    """The campaign that nothing disturbs."""
    place = services.place("undisturbed")
    assert services.endings(start(services, place)) == ["Completed"]
    place.require_whole()
    assert set(place.resumed()) == {"init", *METHODS}
    return place


def training_of(services: FaultyStack, run: str) -> list[psutil.Process]:
    """The training of a flow run, once it is under way."""
    mine = services.processes(run)
    return [process for process in services.trainings() if process in mine]


def wait_for_both(services: FaultyStack, place: Place, parent: str) -> tuple[str, ...]:
    """Return the flow runs of the methods, once each is at its training."""
    runs = tuple(of_method(services, place, parent, label) for label in METHODS)
    wait_for(lambda: all(training_of(services, run) for run in runs), "both methods train")
    return runs


# A training, a flow run and a machine are killed.


@pytest.fixture(scope="module")
def killed(services: FaultyStack, truth: Place) -> tuple[Place, dict[str, Any]]:
    """A campaign whose processes were killed, and what was seen of it meanwhile."""
    place = services.place("killed")
    seen: dict[str, Any] = {}
    parent = start(services, place)
    init = services.child(parent, f"initial-training-{place.name}")
    wait_for(lambda: place.epochs_saved() >= 1, "an epoch of the initial training")
    kill(training_of(services, init))
    seen["after the training"] = services.endings(parent, init)
    seen["epochs"] = place.epochs_saved()
    seen["at first"] = place.finished()
    services.retry_ended(parent)

    iqr, other = wait_for_both(services, place, parent)
    seen["in the middle"] = place.finished()
    kill(services.flow_process(iqr))
    seen["after the flow"] = services.endings(iqr)
    lost = services.worker_of(other)
    services.kill_machine(lost)
    seen["after the machine"] = services.state(other)["name"]
    seen["left"] = wait_for(lambda: not services.trainings(), "trainings end", 30)
    services.crash(other)  # as the automation does after 90 s
    seen["at last"] = services.endings(parent, iqr, other)
    seen["starts"] = {services.get(f"flow_runs/{run}")["run_count"] for run in (iqr, other)}
    seen["said to go on"] = services.going_on(parent)
    services.worker(lost).start()
    return place, seen


def test_a_killed_training_goes_on_when_the_campaign_is_retried(
    killed: tuple[Place, dict[str, Any]], truth: Place
) -> None:
    place, seen = killed
    assert seen["after the training"] == ["Failed", "Failed"]
    assert seen["epochs"] >= 1
    place.require_kept(seen["at first"])
    assert place.resumed()["init"]
    assert place.checkpoints()["init"] == truth.checkpoints()["init"]


def test_a_killed_flow_run_is_crashed_and_started_again_by_its_campaign(
    killed: tuple[Place, dict[str, Any]],
) -> None:
    place, seen = killed
    assert seen["after the flow"] == ["Crashed"]
    assert seen["starts"] == {2}
    place.require_kept(seen["in the middle"])


def test_what_ran_on_a_lost_machine_goes_on_elsewhere(
    killed: tuple[Place, dict[str, Any]], truth: Place
) -> None:
    place, seen = killed
    assert seen["after the machine"] == "Running"
    assert seen["at last"] == ["Completed"] * 3
    assert seen["said to go on"] == []
    place.require_equal(truth)
    place.require_whole()


# The store is busy, away, and the server is started again.


@pytest.fixture(scope="module")
def stormy(services: FaultyStack, truth: Place) -> tuple[Place, str, int]:
    """A campaign for which neither store nor server was always there; nobody did a thing."""
    place, faults = services.place("stormy"), services.faults
    failed = faults.failed
    faults.busy = 0.2
    try:
        parent = start(services, place)
        wait_for(lambda: place.epochs_saved() >= 1, "an epoch of the initial training")
        faults.take_down(DOWN_S)
        iqr = of_method(services, place, parent, "iqr")
        wait_for(lambda: services.processes(iqr), "the process of a method starts")
        server = services.stack.server
        server.kill()
        wait_for(lambda: services.is_gone(iqr), "it ends, as nobody answers")
        server.start()
        wait_for(lambda: services.state(iqr)["type"] == "RUNNING", "a method runs")
        server.stop()
        server.start()
        assert services.endings(parent) == ["Completed"]
    finally:
        faults.busy = 0.0
    return place, parent, faults.failed - failed


def test_a_store_that_is_busy_or_away_is_waited_for(
    stormy: tuple[Place, str, int], truth: Place
) -> None:
    place, _, failed = stormy
    assert failed > 20
    assert not any(place.resumed().values())
    place.require_equal(truth)
    place.require_whole()


def test_a_server_that_is_started_again_is_waited_for(
    services: FaultyStack, stormy: tuple[Place, str, int]
) -> None:
    place, parent, _ = stormy
    runs = [services.get(f"flow_runs/{parent}"), *services.children(parent).values()]
    assert [run["run_count"] for run in runs] == [1] * 4  # what had begun went on
    states = services.states(of_method(services, place, parent, "iqr"))
    assert states.index("Crashed") < states.index("Running")  # its campaign started it again


# The same is started twice.


def test_what_is_started_twice_is_computed_once(services: FaultyStack, truth: Place) -> None:
    place = services.place("twice")
    begun = [
        services.start("initial-training/initial-training", config=config(place))
        for _ in range(2)
    ]
    assert services.endings(*begun) == ["Completed", "Completed"]
    computed = [name for run in begun for name in services.computed(run)]
    assert "training-init-from-epoch-0" in computed
    assert len(set(computed)) == len(computed)
    after_init = place.finished()

    methods = [
        services.start("method/method", config=config(place), label="iqr") for _ in range(2)
    ]
    assert services.endings(*methods) == ["Completed", "Completed"]
    one, other = sorted((services.computed(run) for run in methods), key=len)
    assert one == []
    assert f"training-iqr0-from-epoch-{EPOCHS}" in other
    place.require_kept(after_init)
    after_iqr = place.finished()

    parents = [start(services, place) for _ in range(2)]
    assert services.endings(*parents) == ["Completed", "Completed"]
    children = [[child["id"] for child in services.children(run).values()] for run in parents]
    one, other = sorted((services.computed(*runs) for runs in children), key=len)
    assert one == []
    assert {name for name in other if name.startswith("training")} == {
        f"training-true-random0-from-epoch-{EPOCHS}"
    }
    place.require_kept(after_iqr)
    assert not any(place.resumed().values())
    place.require_equal(truth)
    place.require_whole()


# A poisoned image, a full disk, and a parent that is cancelled.


@pytest.fixture
def full_disk(services: FaultyStack) -> list[DiskWorker]:
    """The workers of the GPUs, whose disks have no room for the copy of a checkpoint."""
    workers = [services.worker(name) for name in ("gpu-0", "gpu-1")]
    for worker in workers:
        worker.stop()
        worker.disk_bytes = DISK_BYTES
        worker.start()
    return workers


def test_a_poisoned_image_a_full_disk_and_a_cancelled_campaign(
    services: FaultyStack, truth: Place, full_disk: list[DiskWorker]
) -> None:
    place = services.place("cancelled")
    put_scenes(services, "poisoned")
    poison(services, "poisoned")
    parent = start(services, place, "poisoned")
    wait_for_both(services, place, parent)
    before = place.finished()
    children = {name: run["id"] for name, run in services.children(parent).items()}
    services.cancel(parent)
    assert set(services.endings(parent, *children.values())) == {"Cancelled", "Completed"}
    cancelled = (parent, *children.values())
    wait_for(lambda: all(map(services.is_gone, cancelled)), "its processes end", 30)
    assert services.trainings() == []

    again = start(services, place, "poisoned")
    assert services.endings(again) == ["Completed"]
    said = services.logs(children[f"initial-training-{place.name}"])
    assert any("zz.png" in line for line in said)
    place.require_kept(before)
    place.require_equal(truth)  # the poisoned image left nothing in it
    place.require_whole()
    for worker in full_disk:
        copies = list(worker.seen_copies.glob("??/*"))
        assert copies
        assert not [copy for copy in copies if copy.suffix in (".pt", ".partial")]
