"""A training goes on from a state that is what was stored, or begins anew."""

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from backhaul.learn.settings import NoStopping, Training
from backhaul.learn.training.job import EpochDone, EpochRecord, TrainingJob
from backhaul.learn.training.process import UnusableStateError
from backhaul.values.images import empty_image_set
from backhaul.values.splits import Splits
from tasks import training
from tasks.stage import Step
from tasks.training import ResumeState


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store in which a training has come to its second epoch."""
    monkeypatch.setattr(training, "get_run_logger", logging.getLogger)
    root, known = tmp_path / "store", ResumeState()
    for epoch in (1, 2):
        weights, state = tmp_path / "weights.pt", tmp_path / "state.pt"
        weights.write_bytes(b"weights %d" % epoch)
        state.write_bytes(b"state %d" % epoch)
        record = EpochRecord(epoch=epoch, train_loss=1, valid_loss=None, mAP50=0.0, seconds=1)
        event = EpochDone(
            record=record, checkpoint=weights, sha256="c" * 64, state=state, stop=None
        )
        known = training._store_epoch(event, known, place(root), Training(), str(root))
    return root


def test_epochs_without_a_state_are_done_again(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "get_run_logger", logging.getLogger)
    known, _ = found(store, tmp_path / "own")
    state = tmp_path / "state.pt"
    for epoch in (3, 4):
        record = EpochRecord(epoch=epoch, train_loss=1, valid_loss=None, mAP50=0.0, seconds=1)
        event = EpochDone(record=record, checkpoint=None, sha256=None, state=None, stop=None)
        known = training._store_epoch(event, known, place(store), Training(), str(store))
    assert [r.epoch for r in known.history] == [1, 2, 3, 4]
    assert [r.epoch for r in found(store, tmp_path / "own")[0].history] == [1, 2]

    state.write_bytes(b"state 5")
    event = event.model_copy(
        update={"record": record.model_copy(update={"epoch": 5}), "state": state}
    )
    training._store_epoch(event, known, place(store), Training(), str(store))
    known, state_found = found(store, tmp_path / "own")
    assert [r.epoch for r in known.history] == [1, 2, 3, 4, 5]
    assert state_found is not None
    assert state_found.read_bytes() == b"state 5"
    assert sorted(p.name for p in Path(place(store)).iterdir()) == ["state-5.pt", "state.json"]


def place(root: Path) -> str:
    return f"{root}/.backhaul/resume/training-v1-0"


def found(root: Path, folder: Path) -> tuple[ResumeState, Path | None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return training._find_state(place(root), str(root), folder)


def test_it_goes_on_in_a_store_that_was_moved(store: Path, tmp_path: Path) -> None:
    moved = store.rename(tmp_path / "elsewhere")
    known, state = found(moved, tmp_path / "own")
    assert [record.epoch for record in known.history] == [1, 2]
    assert known.resumed
    assert state is not None
    assert state.read_bytes() == b"state 2"
    assert state.parent == tmp_path / "own"
    assert all(Path(c.artifact.uri).is_file() for c in known.checkpoints)
    assert str(store) not in Path(place(moved), "state.json").read_text()


@pytest.mark.parametrize("text", ["", "{", '{"history": 3}', '{"__class__": "os.system"}'])
def test_it_begins_anew_where_the_record_is_damaged(
    store: Path, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(place(store), "state.json").write_text(text)
    assert found(store, tmp_path / "own") == (ResumeState(), None)
    assert "begins anew" in caplog.text
    assert not list(Path(place(store)).iterdir())
    kept = sorted((store / ".backhaul" / "damaged" / "resume" / "training-v1-0").iterdir())
    assert [path.name.partition(".2")[0] for path in kept] == ["state-2.pt", "state.json"]
    assert kept[1].read_text() == text


def test_one_changed_byte_of_the_record_is_noticed(store: Path, tmp_path: Path) -> None:
    record = Path(place(store), "state.json")
    record.write_text(record.read_text().replace('"train_loss": 1.0', '"train_loss": 2.0'))
    assert found(store, tmp_path / "own") == (ResumeState(), None)


def test_it_begins_anew_where_a_checkpoint_is_gone(store: Path, tmp_path: Path) -> None:
    known, _ = found(store, tmp_path / "own")
    Path(known.checkpoints[0].artifact.uri).unlink()
    assert found(store, tmp_path / "own") == (ResumeState(), None)


def test_it_never_opens_a_state_of_another_content(
    store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = Path(place(store), "state-2.pt")
    state.write_bytes(b"another")
    assert found(store, tmp_path / "own") == (ResumeState(), None)
    assert caplog.text.count("begins anew") == 1
    assert not state.exists()


def test_a_state_that_is_gone_is_as_none(store: Path, tmp_path: Path) -> None:
    Path(place(store), "state-2.pt").unlink()
    assert found(store, tmp_path / "own") == (ResumeState(), None)


def test_a_state_that_cannot_be_loaded_is_as_none(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it is what the record says, and is refused nevertheless: somebody forged both."""
    jobs = []

    def follow(
        job: Any, known: ResumeState, place: str, step: Any, images: Splits
    ) -> ResumeState:
        jobs.append(job)
        if job.resume is not None:
            raise UnusableStateError("state.pt: cannot be loaded: it is refused")
        return known

    monkeypatch.setattr(training, "_follow", follow)
    record = EpochRecord(epoch=1, train_loss=1, valid_loss=None, mAP50=0.0, seconds=1)
    job = TrainingJob(
        folder=store,
        class_names=("car",),
        settings=Training(),
        stopping=NoStopping(),
        epochs=2,
        seed=1,
        history=(record,),
        resume=store / "state.pt",
    )
    known = ResumeState(history=(record,), resumed=True)
    step = Step(root=str(store), seed=1)
    none = empty_image_set(("car",))
    images = Splits(none, none, none)
    begun = training._follow_or_begin_anew(job, known, place(store), step, images)
    assert begun == ResumeState()
    assert [(job.resume, job.history) for job in jobs[1:]] == [(None, ())]
    assert "begins anew" in caplog.text
