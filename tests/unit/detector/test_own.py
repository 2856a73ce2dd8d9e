"""A detector of the user's own keeps the promises that Ultralytics' trainer keeps."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from backhaul.code import UserCode
from backhaul.errors import InputError
from backhaul.learn.settings import GlStopping, Training
from backhaul.learn.training.job import EpochDone, TrainingJob
from backhaul.learn.training.process import TrainingError, train
from backhaul.learn.training.workfolder import write_splits
from backhaul.look.checkpoints import file_digest
from backhaul.look.descriptors import describe_files
from backhaul.look.own import OwnDetector
from backhaul.look.protocol import PredictionSettings
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import NO_NEEDS, Detections, Need
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import CLASSES

pytestmark = pytest.mark.train

SOURCE = '''
import json
from backhaul.learn.protocol import TrainedEpoch


class Brightness:
    """Learns nothing, but keeps to the protocol."""

    def __init__(self, answer=None, epochs=None):
        self.answer, self.epochs = answer, epochs

    def train(self, task):
        seen = json.loads(task.start.read_text())["epochs"] if task.start else []
        for _ in range(self.epochs or task.epochs):
            seen = [*seen, len(seen) + 1]
            path = task.folder / "weights.json"
            path.write_text(json.dumps({"epochs": seen, "seed": task.seed}))
            yield TrainedEpoch(1.0 / len(seen), 2.0 / len(seen), path)

    def predict(self, weights, images, class_names, settings):
        epochs = json.loads(weights.read_text())["epochs"]
        for image in images:
            boxes = [[-5, 2, 20, 30, 0.5, 1]] * len(epochs)
            yield boxes if self.answer is None else self.answer

    def features(self, weights, images, class_names, settings):
        for number, image in enumerate(images):
            yield [number, len(class_names)]


class Plain:
    def predict(self, weights, images, class_names, settings):
        yield from ([] for _ in images)


class Silent:
    def train(self, task): ...


def function(): ...
'''


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "brightness.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(folder))
    yield "brightness:Brightness"
    sys.modules.pop("brightness", None)


def job_of(folder: Path, scenes: Splits, code: Any, **changes: Any) -> TrainingJob:
    folder.mkdir()
    write_splits(folder, scenes)
    settings = Training.model_validate({"detector": code, "device": "cpu"})
    job = TrainingJob(
        folder=folder,
        class_names=CLASSES,
        settings=settings,
        stopping=GlStopping(),
        epochs=3,
        seed=3,
    )
    return job.model_copy(update=changes)


def epochs_of(job: TrainingJob) -> list[EpochDone]:
    return [event for event in train(job) if isinstance(event, EpochDone)]


def test_epochs_are_counted_on_and_checkpoints_hold_what_was_yielded(
    code: str, scenes: Splits, tmp_path: Path
) -> None:
    first = epochs_of(job_of(tmp_path / "a", scenes, code))
    assert [e.record.epoch for e in first] == [1, 2, 3]
    assert [e.stop for e in first] == [None, None, "all epochs done"]
    assert all(e.checkpoint and file_digest(e.checkpoint) == e.sha256 for e in first)
    start = {"start": first[-1].checkpoint, "start_epoch": 3}
    on = epochs_of(job_of(tmp_path / "b", scenes, code, **start))
    assert [e.record.epoch for e in on] == [4, 5, 6]
    assert [e.record.train_loss for e in on] == [1 / 4, 1 / 5, 1 / 6]


def test_a_training_goes_on_after_its_last_epoch(
    code: str, scenes: Splits, tmp_path: Path
) -> None:
    whole = epochs_of(job_of(tmp_path / "a", scenes, code))
    known = {"history": (whole[0].record,), "resume": whole[0].checkpoint}
    rest = epochs_of(job_of(tmp_path / "b", scenes, code, **known))
    assert [e.record.epoch for e in rest] == [2, 3]
    assert [e.sha256 for e in rest] == [e.sha256 for e in whole[1:]]


def test_checkpoints_come_at_their_interval_and_at_the_end(
    code: str, scenes: Splits, tmp_path: Path
) -> None:
    settings = Training.model_validate({"detector": code, "checkpoint_interval": 2})
    events = epochs_of(job_of(tmp_path / "a", scenes, code, settings=settings))
    assert [e.checkpoint is not None for e in events] == [False, True, True]


def test_one_that_ends_too_early_is_an_error(code: str, scenes: Splits, tmp_path: Path) -> None:
    lazy = {"use": code, "params": {"epochs": 1}}
    with pytest.raises(TrainingError, match="ended after 1 of 3 epochs"):
        epochs_of(job_of(tmp_path / "a", scenes, lazy))


def test_ctrl_c_is_left_to_its_parent(code: str, scenes: Splits, tmp_path: Path) -> None:
    """It goes to all processes of a terminal: a training that ended by it would have failed."""
    job = job_of(tmp_path / "a", scenes, code)
    events = train(job)
    next(events)
    mine = [p for p in psutil.Process().children(recursive=True) if p.name() == "training"]
    assert mine
    for process in mine:
        process.send_signal(signal.SIGINT)
    assert 1 + len(list(events)) == job.epochs


def test_it_ends_with_its_parent(code: str, scenes: Splits, tmp_path: Path) -> None:
    slow = tmp_path / "modules" / "slow.py"
    body = "def train(self, task): time.sleep(100)\n    def predict(self): ..."
    slow.write_text(f"import time\n\nclass Slow:\n    {body}\n")
    job = job_of(tmp_path / "a", scenes, "slow:Slow")
    text = (
        "import sys; from backhaul.learn.training.process import train; "
        "from backhaul.learn.training.job import TrainingJob; "
        "list(train(TrainingJob.model_validate_json(sys.argv[1])))"
    )
    path = {"PYTHONPATH": str(slow.parent)}
    parent = subprocess.Popen([sys.executable, "-c", text, job.model_dump_json()], env=path)
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(parent.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def seen_by(
    code: str,
    scenes: Splits,
    folder: Path,
    needs: frozenset[Need] = NO_NEEDS,
    **params: Any,
) -> Detections:
    weights = folder / "w.json"
    weights.write_text('{"epochs": [1, 2]}')
    return OwnDetector(UserCode(use=code, params=params)).predict(
        scenes.test.local(),
        [LocalCheckpoint(7, weights, file_digest(weights))],
        PredictionSettings(64, conf_thres=0.1, nms_thres=0.5, max_detections=1, needs=needs),
        lambda done, total: None,
    )


def predicted(code: str, scenes: Splits, folder: Path, **params: Any) -> Any:
    return seen_by(code, scenes, folder, **params).table


def test_scores_and_features_are_taken_if_they_are_needed(
    code: str, scenes: Splits, tmp_path: Path
) -> None:
    answer = [[0, 0, 9, 9, 0.5, 1, 0.25, 0.5], [0, 0, 9, 9, 0.75, 0, 0.75, 0.125]]
    plain = seen_by(code, scenes, tmp_path, answer=answer)
    assert (plain.scores, plain.features) == (None, None)
    needs: frozenset[Need] = frozenset({"scores", "features", "descriptors"})
    found = seen_by(code, scenes, tmp_path, needs, answer=answer)
    assert found.scores is not None
    assert found.scores.tolist() == [[0.75, 0.125]] * len(scenes.test)
    assert found.features is not None
    assert found.features.of(scenes.test.ids[1:]).tolist() == [
        [i, 2] for i in range(1, len(scenes.test))
    ]
    assert found.descriptors is not None
    np.testing.assert_array_equal(
        found.descriptors.of(scenes.test.ids), describe_files(scenes.test.local().paths)
    )
    with pytest.raises(InputError, match="a sampling method needs scores"):
        seen_by(code, scenes, tmp_path, needs)


def test_without_a_method_for_features_there_are_none(
    code: str, scenes: Splits, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"Plain: has no method features"):
        seen_by("brightness:Plain", scenes, tmp_path, frozenset({"features"}))


def test_boxes_are_clipped_and_too_many_are_cut(
    code: str, scenes: Splits, tmp_path: Path
) -> None:
    table = predicted(code, scenes, tmp_path)
    assert len(table) == len(scenes.test)
    assert table.iloc[0].drop("image_id").tolist() == [7, 1, 0.5, 0, 2, 20, 30]


def test_what_is_not_confident_or_has_no_area_is_dropped(
    code: str, scenes: Splits, tmp_path: Path
) -> None:
    answer = [[0, 0, 9, 9, 0.1, 0], [64, 0, 70, 9, 0.9, 0]]
    assert predicted(code, scenes, tmp_path, answer=answer).empty
    assert predicted(code, scenes, tmp_path, answer=np.zeros((0, 6)).tolist()).empty


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([[0, 0, 9, 9, 0.5, 2]], "class_id 2, expected 0 to 1"),
        ([[0, 0, 9, 9, 1.5, 0]], "expected finite boxes and confidences in [0, 1]"),
        ([[0, 0, 9, 9, 0.5]], "expected an array of shape (n, 6)"),
        ("boxes", "expected an array of shape (n, 6)"),
    ],
)
def test_wrong_boxes_are_refused_by_class_and_image(
    code: str, scenes: Splits, tmp_path: Path, answer: Any, reason: str
) -> None:
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        predicted(code, scenes, tmp_path, answer=answer)
    assert code in str(caught.value)
    assert "scene 20.PNG" in str(caught.value)


def test_what_lacks_a_method_is_refused_at_validation(code: str) -> None:
    with pytest.raises(ValueError, match="predict is missing"):
        Training.model_validate({"detector": "brightness:Silent"})
    with pytest.raises(ValueError, match="expected a class with train and predict"):
        Training.model_validate({"detector": "brightness:function"})
