"""Files that would run code where they are loaded: none does, unless the config trusts them."""

import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backhaul.errors import InputError
from backhaul.learn.settings import Training
from backhaul.learn.training.process import TrainingError, UnusableStateError, train
from backhaul.learn.training.start import checked_digest
from backhaul.look.checkpoints import load_model
from backhaul.look.statedict import write_state_dict
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import CLASSES, Trained, make_job

pytestmark = pytest.mark.train

OWN_LAYER = """
from torch import nn


class Doubled(nn.SiLU):
    def forward(self, x):
        return 2 * super().forward(x)
"""


class Payload:
    """Pickled, it is a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


def forge(content: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Return a file of PyTorch with a payload in it, and where it would leave its mark."""
    path, mark = folder / "forged.pt", folder / "it ran"
    torch.save({**content, "train_args": Payload(mark)}, path)
    return path, mark


def content_of(trained: Trained) -> dict[str, Any]:
    path = trained.epochs[0].checkpoint
    assert path is not None
    return dict(torch.load(path, map_location="cpu", weights_only=False))


@pytest.mark.parametrize("otherwise_whole", [False, True])
def test_a_payload_in_a_checkpoint_is_not_run(
    trained: Trained, tmp_path: Path, otherwise_whole: bool
) -> None:
    path, mark = forge(content_of(trained) if otherwise_whole else {}, tmp_path)
    with pytest.raises(InputError, match=r"not a checkpoint: it needs code .*mkdir"):
        load_model(path, CLASSES)
    with pytest.raises(InputError, match="not a checkpoint"):
        checked_digest(path, CLASSES, trained.job.settings)
    with pytest.raises(InputError, match="not a checkpoint"):
        write_state_dict(path, tmp_path / "weights.pth", CLASSES, "0" * 64)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # it would have
    assert mark.exists()


@pytest.mark.parametrize("part", ["start", "resume"])
def test_a_training_runs_no_payload(
    trained: Trained, scenes: Splits, tmp_path: Path, part: str
) -> None:
    whole = trained.epochs[1]
    assert whole.state is not None
    state = torch.load(whole.state, map_location="cpu", weights_only=False)
    path, mark = forge(state if part == "resume" else content_of(trained), tmp_path)
    history = (trained.epochs[0].record,) if part == "resume" else ()
    job = make_job(tmp_path / "job", scenes).model_copy(
        update={part: path, "history": history, "start_epoch": 1}
    )
    expected = (
        (TrainingError, "not a checkpoint: it needs code")
        if part == "start"
        else (UnusableStateError, "cannot be loaded: .*outside the supported")
    )
    with pytest.raises(expected[0], match=expected[1]):
        list(train(job))
    assert not mark.exists()


@pytest.mark.slow
def test_layers_of_ones_own_need_the_word_of_the_config(
    trained: Trained, scenes: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_layers.py").write_text(OWN_LAYER)
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_layers  # type: ignore[import-not-found]

    content = content_of(trained)
    content["model"] = deepcopy(content["model"])
    content["model"].model[0].act = my_layers.Doubled()
    path = tmp_path / "own.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match=r"\(my_layers\.Doubled\).*training\.trust: true"):
        load_model(path, CLASSES)
    model = load_model(path, CLASSES, trust=True)
    assert type(model.model[0].act) is my_layers.Doubled
    plain = load_model(trained.epochs[0].checkpoint or path, CLASSES)
    with torch.inference_mode():
        pixels = torch.rand(1, 3, 64, 64)
        assert not np.allclose(model.model[0](pixels), plain.model[0](pixels))
    trusting = Training.model_validate(trained.job.settings.model_dump() | {"trust": True})
    assert checked_digest(path, CLASSES, trusting)
    job = make_job(tmp_path / "job", scenes, trust=True)
    events = list(train(job.model_copy(update={"start": path, "start_epoch": 1, "epochs": 1})))
    assert events
    sys.modules.pop("my_layers")


def test_who_switches_safe_loading_off_is_told(trained: Trained) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from backhaul.look.checkpoints import load_model;"
        "load_model(Path(sys.argv[1]), tuple(sys.argv[2:]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(trained.epochs[0].checkpoint), *CLASSES],
        env=os.environ | {"ULTRALYTICS_SAFE_LOAD": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unset ULTRALYTICS_SAFE_LOAD" in ended.stderr.splitlines()[-1]
