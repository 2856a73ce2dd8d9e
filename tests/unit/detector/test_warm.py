"""Trainings that are forks of one process: each as if it were a process anew."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from backhaul.learn.settings import UserStopping
from backhaul.learn.training import process as trainings
from backhaul.learn.training.job import EpochDone, TrainingJob
from backhaul.learn.training.process import TrainingError, train
from backhaul.learn.training.warm import ForkedTraining, Warm
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import Trained, make_job

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(sys.platform != "linux", reason="trainings are forked on Linux alone"),
]

CRITERION = """
import json
import os
import sys
from pathlib import Path


class Tells:
    def stop(self, train_losses, valid_losses):
        told = {
            "environment": dict(os.environ),
            "parent": os.getppid(),
            "cuda": sys.modules["torch"].cuda.is_initialized(),
        }
        Path("told.json").write_text(json.dumps(told))
        return True
"""


def is_training(process: psutil.Process) -> bool:
    return bool(process.name() == "training")


def servers() -> list[psutil.Process]:
    found = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    return [p for p in found if "backhaul.learn.training.warm_server" in p.cmdline()]


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def digests(job: TrainingJob) -> list[str | None]:
    return [event.sha256 for event in train(job) if isinstance(event, EpochDone)]


def test_side_by_side_they_learn_what_a_new_process_does(
    trained: Trained, scenes: Splits, tmp_path: Path
) -> None:
    jobs = [
        make_job(tmp_path / name, scenes).model_copy(update={"epochs": len(trained.epochs)})
        for name in ("a", "b")
    ]
    with ThreadPoolExecutor() as threads:
        one, other = threads.map(digests, jobs)
    [server] = servers()
    assert server.num_threads() == 1  # or it could not be forked
    assert not server.children()
    assert one == other == [epoch.sha256 for epoch in trained.epochs]


def test_nothing_of_one_is_left_to_the_next(
    scenes: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    told = []
    for name, threads in (("FIRST", 1), ("SECOND", 2)):
        source = f"# {name * threads}\n{CRITERION}"  # is read anew, not only once
        (tmp_path / "tells.py").write_text(source)
        job = make_job(tmp_path / name, scenes, threads=threads, n_cpu=threads - 1)
        stopping = UserStopping.model_validate({"kind": "user", "criterion": "tells:Tells"})
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path / name)
            patch.setenv(name, "here")
            [epoch] = train(job.model_copy(update={"stopping": stopping}))
        assert isinstance(epoch, EpochDone)
        assert epoch.stop == "stopping criterion user"
        told.append(json.loads((tmp_path / name / "told.json").read_text()))
    sys.modules.pop("tells")
    first, second = (each["environment"] for each in told)
    assert (first["FIRST"], second["SECOND"]) == ("here", "here")
    assert not {"FIRST", "JE_ARROW_MALLOC_CONF"} & set(second)
    assert (first["OMP_NUM_THREADS"], second["OMP_NUM_THREADS"]) == ("1", "2")
    assert second["YOLO_CONFIG_DIR"] == str(tmp_path / "SECOND" / "settings")
    assert (tmp_path / "SECOND" / "settings" / "settings.json").is_file()
    assert told[0]["parent"] == told[1]["parent"] != os.getpid()
    assert [each["cuda"] for each in told] == [False, False]


def test_one_that_is_killed_says_so(scenes: Splits, tmp_path: Path) -> None:
    events = train(make_job(tmp_path, scenes).model_copy(update={"epochs": 500}))
    next(events)
    [training] = filter(is_training, psutil.Process().children(recursive=True))
    training.kill()
    with pytest.raises(TrainingError, match="was killed by SIGKILL"):
        list(events)


@pytest.mark.slow
def test_the_idle_process_ends_by_itself_and_the_next_training_finds_none(
    scenes: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = servers()
    process = Warm(idle_s=0.5)
    monkeypatch.setattr(trainings, "WARM", process)
    for name in ("first", "second"):
        assert digests(make_job(tmp_path / name, scenes))
        wait_until(lambda: not [each for each in servers() if each not in before])
    process.close()


def test_one_that_nobody_listens_to_is_ended(scenes: Splits, tmp_path: Path) -> None:
    events = train(make_job(tmp_path, scenes).model_copy(update={"epochs": 500}))
    next(events)
    running = list(filter(is_training, psutil.Process().children(recursive=True)))
    assert len(running) == 1
    events.close()  # type: ignore[attr-defined] # it is a generator
    assert not running[0].is_running()


def test_it_is_lost_with_the_process_that_would_say_how_it_ended() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ForkedTraining(BytesIO(), BytesIO(), ours) as training:
        theirs.close()
        assert training.wait() is None
        training.kill()
