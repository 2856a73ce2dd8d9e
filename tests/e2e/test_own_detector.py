"""A campaign with the detector of the guide, torchvision's SSDlite, in place of Ultralytics."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.prefect, pytest.mark.train]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "own-detector.md"
BLOCK = re.compile(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHANGES: dict[str, Any] = {
    "data": {"kind": "digits", "images": 44, "size_px": 64},
    "initial": {"images": 20},
    "batches": {"sampling_batch": 12, "count": 1, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 8},
    "methods": ["true-random"],
    "control": False,
    "augmentation": {},
    "inference": {"conf_check_num": 2, "conf_thres": 0.001},
}


@pytest.fixture(scope="module")
def place(new_place: Callable[[str], Any]) -> Any:
    place = new_place("own-detector")
    for name, text in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        (place.folder / name).write_text(text, encoding="utf-8")
    config = yaml.safe_load((place.folder / "ssdlite.yaml").read_text())
    small = {"img_size": 64, "max_epochs": 2, "retrain_max_epochs": 1, "device": "cpu"}
    config |= CHANGES | {"training": config["training"] | small}
    (place.folder / "small.yaml").write_text(yaml.safe_dump(config))
    return place


@pytest.fixture(scope="module")
def run(place: Any) -> Any:
    ended = place.process("run", "small.yaml")
    assert ended.code == 0, ended.err
    return place.run("ssdlite")


def test_the_guide_is_valid_as_it_stands(place: Any) -> None:
    new = ("--set", "name=new")  # `small.yaml` has the name, and is another campaign
    assert place.backhaul("validate", "ssdlite.yaml", *new).code == 0


@pytest.mark.slow
def test_it_trains_looks_and_is_measured(run: Any) -> None:
    epochs = [(t["first_epoch"], t["epochs"]) for t in run.json["trainings"]]
    assert epochs == [(1, 2), (3, 1)]
    assert run.summary["mAP50"].between(0, 1).all()
    assert len(run.listed("true-random0_sample_2.txt")) == 8
    assert (run.folder / "checkpoints" / "true-random_ckpt_3.pt").exists()


@pytest.mark.slow
def test_a_second_start_computes_nothing_and_another_source_everything_it_touches(
    place: Any, run: Any
) -> None:
    assert place.process("run", "small.yaml").code == 0
    assert not run.computed()
    before = run.checkpoint_digests("init")
    module = place.folder / "my_detector.py"
    module.write_text(module.read_text() + "\n# another source, the same weights\n")
    assert place.process("run", "small.yaml").code == 0
    assert {"training", "inference", "evaluation"} <= run.computed()
    assert not {"data", "split", "batches"} & run.computed()
    assert run.checkpoint_digests("init") == before  # the same seed, the same bytes
