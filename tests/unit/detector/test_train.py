"""Trainings in processes of their own, as a campaign runs them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch

from backhaul.errors import InputError
from backhaul.learn.training.job import EpochDone, StepDone
from backhaul.learn.training.process import TrainingError, train
from backhaul.look.checkpoints import file_digest, load_model, model_digest
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import CLASSES, Trained, make_job

pytestmark = pytest.mark.train


def test_every_epoch_has_losses_and_a_checkpoint(trained: Trained) -> None:
    assert [event.record.epoch for event in trained.epochs] == [1, 2, 3, 4]
    assert [event.stop for event in trained.epochs] == [None] * 3 + ["all epochs done"]
    for event in trained.epochs:
        assert event.record.valid_loss is not None
        assert event.record.train_loss > 0
        assert event.checkpoint is not None
        model = load_model(event.checkpoint, CLASSES, event.sha256)
        assert model_digest(model) == event.sha256


def test_the_users_folder_is_left_alone(trained: Trained, scenes: Splits) -> None:
    folder = Path(scenes.train.table["uri"][0]).parent
    assert {path.suffix for path in folder.iterdir()} == {".PNG"}
    assert sorted(p.name for p in folder.parent.iterdir()) == [folder.name]


def test_a_retraining_counts_on_and_validates_and_saves_at_its_intervals(
    trained: Trained, scenes: Splits, tmp_path: Path
) -> None:
    settings = {"evaluation_interval": 2, "checkpoint_interval": 2, "logs_per_epoch": 2}
    settings["resume_interval"] = 3
    job = make_job(tmp_path, scenes, **settings).model_copy(
        update={"start": trained.epochs[1].checkpoint, "start_epoch": 2, "epochs": 3}
    )
    events = list(train(job))
    epochs = [e for e in events if isinstance(e, EpochDone)]
    assert [e.record.epoch for e in epochs] == [3, 4, 5]
    assert [e.record.valid_loss is None for e in epochs] == [True, False, False]
    assert [e.checkpoint is None for e in epochs] == [True, False, False]
    assert [e.state is None for e in epochs] == [True, True, False]
    steps = [(e.epoch, e.step) for e in events if isinstance(e, StepDone)]
    assert steps == [(epoch, step) for epoch in (3, 4, 5) for step in (2, 4)]


@dataclass(frozen=True)
class Cut:
    """A training that was ended after its second epoch.

    Args:
        done: Its epochs.
        state: The state of the last one.
        seen: Of each state its digest, that after a while, and the epoch that it tells.
    """

    done: list[EpochDone]
    state: Path
    seen: list[tuple[str, str, int]]


@pytest.fixture(scope="module")
def cut(scenes: Splits, tmp_path_factory: pytest.TempPathFactory) -> Cut:
    folder = tmp_path_factory.mktemp("cut")
    events = train(make_job(folder, scenes).model_copy(update={"epochs": 4}))
    done, seen = [], []
    for event in islice(events, 2):
        assert isinstance(event, EpochDone)
        assert event.state is not None
        before = file_digest(event.state)
        time.sleep(2 * event.record.seconds)  # as a slow store
        known = torch.load(event.state, map_location="cpu", weights_only=False)
        seen.append((before, file_digest(event.state), known["epoch"]))
        done.append(event)
    state = Path(shutil.copy(folder / "state.pt", tmp_path_factory.mktemp("state")))
    events.close()  # type: ignore[attr-defined] # it is a generator
    return Cut(done, state, seen)


def test_defect_27_a_killed_training_goes_on_with_its_optimizer(
    trained: Trained, cut: Cut, scenes: Splits, tmp_path: Path
) -> None:
    history = tuple(event.record for event in cut.done)
    job = make_job(tmp_path, scenes).model_copy(update={"epochs": 4})
    resumed = job.model_copy(update={"resume": cut.state, "history": history})
    rest = [event for event in train(resumed) if isinstance(event, EpochDone)]
    assert [event.record.epoch for event in rest] == [3, 4]
    for one, other in zip(rest, trained.epochs[2:], strict=True):
        assert one.record.train_loss == pytest.approx(other.record.train_loss, rel=1e-3)
        assert one.record.valid_loss == pytest.approx(other.record.valid_loss, rel=1e-3)


def test_the_state_of_an_epoch_stays_until_its_reader_is_done(cut: Cut) -> None:
    for (before, later, epoch), event in zip(cut.seen, cut.done, strict=True):
        assert before == later
        assert epoch == event.record.epoch - 1


def test_a_wrong_start_ends_with_its_reason(
    trained: Trained, scenes: Splits, tmp_path: Path
) -> None:
    job = make_job(tmp_path, scenes).model_copy(
        update={"start": trained.epochs[0].checkpoint, "class_names": ("a", "b")}
    )
    with pytest.raises(TrainingError, match="trained on classes"):
        list(train(job))


def test_a_checkpoint_that_is_none_or_another_is_refused(
    trained: Trained, tmp_path: Path
) -> None:
    path = trained.epochs[0].checkpoint
    assert path is not None
    with pytest.raises(InputError, match="does not match its digest"):
        load_model(path, CLASSES, "0" * 64)
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_model(broken, CLASSES)


@pytest.mark.slow
def test_a_training_ends_with_its_parent(scenes: Splits, tmp_path: Path) -> None:
    job = make_job(tmp_path, scenes).model_copy(update={"epochs": 500})
    code = (
        "import sys; from backhaul.learn.training.job import TrainingJob;"
        "from backhaul.learn.training.process import train;"
        "job = TrainingJob.model_validate_json(sys.argv[1]);"
        "[print(e.kind, flush=True) for e in train(job)]"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, job.model_dump_json()], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"epoch\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert children
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children):
        assert time.monotonic() < deadline, "the training outlived its parent"
        time.sleep(0.1)
