"""What Ultralytics' trainer is made to do. These run in this process, to look inside."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch

from backhaul.learn.settings import Training
from backhaul.learn.training.child import Events
from backhaul.learn.training.trainer import Trainer, model_file, ultralytics_settings
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import make_job

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # torch's, of its own internals
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.mark.parametrize(("accumulations", "steps"), [(1, 4), (2, 2), (4, 1)])
def test_defect_24_the_optimizer_steps_once_for_each_accumulation(
    scenes: Splits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    accumulations: int,
    steps: int,
) -> None:
    norms: list[float] = []
    clip = torch.nn.utils.clip_grad_norm_

    def record(parameters: Any, max_norm: float) -> Any:
        norms.append(max_norm)
        return clip(parameters, max_norm)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", record)
    settings = {"gradient_accumulations": accumulations, "clip": 1.5}
    job = make_job(tmp_path, scenes, **settings).model_copy(update={"epochs": 1})
    Trainer(job, Events(io.StringIO())).train()
    assert norms == [1.5] * steps


def test_defect_25_validation_leaves_batchnorm_statistics_alone(
    scenes: Splits, tmp_path: Path
) -> None:
    trainer = Trainer(
        make_job(tmp_path, scenes).model_copy(update={"epochs": 1}), Events(io.StringIO())
    )
    trainer.train()
    before = {k: v.clone() for k, v in trainer.model.state_dict().items() if "running" in k}
    trainer.validate()
    after = trainer.model.state_dict()
    assert before
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_online_augmentation_is_off_unless_asked_for(scenes: Splits, tmp_path: Path) -> None:
    off = ultralytics_settings(make_job(tmp_path, scenes))
    on = ultralytics_settings(make_job(tmp_path, scenes, online_augmentation=True))
    assert (off["mosaic"], off["fliplr"], off["augmentations"]) == (0, 0, [])
    assert not {"mosaic", "fliplr", "augmentations"} & set(on)


@pytest.mark.parametrize(
    ("model", "file"),
    [("yolo11n", "yolo11n.yaml"), ("yolov3-tiny.yaml", "yolov3-tiny.yaml")],
)
def test_a_bare_model_name_is_never_downloaded(model: str, file: str) -> None:
    assert model_file(Training(model=model).model) == file


def test_a_checkpoint_of_the_users_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "own.pt"
    path.write_bytes(b"weights")
    assert model_file(Training(model=str(path)).model) == str(path)
