import re
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.errors import InputError
from backhaul.learn.darknet import KNOWN, recognise
from backhaul.learn.settings import Training
from backhaul.look.libraries import isolate_libraries
from tests.darknet_files import full, tiny

FILES: dict[str, Callable[[], str]] = {
    "yolov3": full,
    "yolov3-spp": lambda: full(spp=True),
    "yolov3-tiny": tiny,
}


@pytest.fixture(params=KNOWN)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(folder: Path, text: str) -> Path:
    path = folder / "model.cfg"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_is_recognised_by_its_layers(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, FILES[name]())
    assert recognise(path) == name
    assert Training(model=str(path)).model == name


def test_ultralytics_builds_it_with_as_many_heads(name: str) -> None:
    isolate_libraries()
    import torch
    from ultralytics.nn.tasks import parse_model, yaml_model_load

    with torch.device("meta"):  # layers without their hundred million weights
        layers, _ = parse_model(yaml_model_load(f"{name}.yaml"), ch=3, verbose=False)
    assert layers[-1].nl == KNOWN[name]["yolo"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (full().replace("leaky", "mish", 1), "it has activations 'mish'"),
        (full() + "[dropout]\nprobability=.5\n", "it has layers [dropout]"),
        (
            tiny() + "[yolo]\nclasses=80\n",
            "is none of yolov3, yolov3-spp, yolov3-tiny: it",
        ),
        (full(spp=True).replace("size=13", "size=7"), "is none of"),
        (tiny().replace("stride=1\n[convol", "stride=2\n[convol"), "is none of"),
        ("width=3\n[net]\n", ":1: expected [section] or key=value"),
        ("# nothing\n", "holds no layers"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(InputError, match=re.escape(reason)):
        recognise(write(tmp_path, text))


def test_a_missing_file_is_refused_at_validation() -> None:
    with pytest.raises(ValueError, match=r"gone\.cfg: No such file"):
        Training(model="gone.cfg")
