"""Weights for others to start from: the same bytes each time, and what is taken over."""

from pathlib import Path
from typing import Any

import pytest

from backhaul.errors import InputError
from backhaul.learn.settings import Training
from backhaul.learn.training.pretrained import pretrained_bytes
from backhaul.learn.training.start import require_model
from backhaul.look.checkpoints import open_checkpoint
from backhaul.look.libraries import isolate_libraries


@pytest.fixture(scope="module")
def model() -> Any:
    isolate_libraries()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(3)
    return DetectionModel("yolo11n.yaml", nc=5, verbose=False)


def checkpoint(folder: Path, model: Any) -> Path:
    """Write a checkpoint that says where it was trained, as Ultralytics' do."""
    import torch

    path = folder / "init_ckpt_7.pt"
    said = {"data": f"{folder}/data.yaml", "save_dir": str(folder)}
    torch.save({"epoch": -1, "model": model, "train_args": said, "date": str(folder)}, path)
    return path


def test_equal_weights_give_equal_bytes(model: Any, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("one", "two")]
    for place in places:
        place.mkdir()
    one, two = (pretrained_bytes(checkpoint(place, model)) for place in places)
    assert one == two
    assert str(tmp_path).encode() not in one


def test_other_classes_begin_with_all_layers_but_the_last(model: Any, tmp_path: Path) -> None:
    import torch
    from ultralytics.nn.tasks import DetectionModel

    file = tmp_path / "others.pt"
    file.write_bytes(pretrained_bytes(checkpoint(tmp_path, model)))
    training = Training(model=str(file))
    require_model(training)
    given = open_checkpoint(file, trust=False)
    torch.manual_seed(4)
    other = DetectionModel(given.yaml, nc=3, verbose=False)
    other.load(given, verbose=False)
    mine, theirs = other.state_dict(), given.state_dict()
    same = {k for k in mine if mine[k].shape == theirs[k].shape}
    assert all(torch.equal(mine[name], theirs[name]) for name in same)
    backbone = {name for name in mine if not name.startswith("model.23.cv3")}
    assert backbone <= same
    assert 0 < len(mine) - len(same) <= 12  # the last layer of each scale of the classes' part


def test_what_is_no_checkpoint_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"no")
    with pytest.raises(InputError, match=r"a\.pt: not a checkpoint"):
        pretrained_bytes(tmp_path / "a.pt")
