"""Configs as users of the earlier tool have them: imported, one of them trained and played."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from backhaul.campaign.configfile import load_config
from backhaul.data.digits import NAMES, write_scenes
from backhaul.data.formats import read
from backhaul.data.settings import DigitsData, FolderData
from backhaul.learn.training.job import EpochDone, StepDone, TrainingJob
from backhaul.learn.training.process import train
from backhaul.learn.training.start import checked_digest
from backhaul.learn.training.workfolder import write_work_folder
from backhaul.values.splits import Splits
from tests.darknet_files import tiny
from tests.e2e.conftest import FIXED

pytestmark = [pytest.mark.prefect, pytest.mark.train]

SHARES = (15, 30, 45, 60, 75)
SAMPLING_BATCH = 20
PARENT = f"""\
class_list = config/digits.names
model_config = config/tiny.cfg   # the layers of YOLOv3-tiny
images_per_class = 6
aug_compose = 1
early_stop = 1
max_epochs = 2
conf_check_num = 2
logs_per_epoch = 2
initial_set = data/initial/images
train_init = 0.6
valid_init = 0.2
sample_set = data/sample/images
sampling_batch = {SAMPLING_BATCH}
bandwidth = {SAMPLING_BATCH}
train_sample = 0.5
valid_sample = 0.25
retrain_new = 0.75
parallel = 0
log = logs/
output = output/
checkpoints = checkpoints/
strip_len = 1
successions = 3
img_size = 64
batch_size = 8
clip = 1
gradient_accumulations = 2
evaluation_interval = 1
checkpoint_interval = 1
multiscale = 0
n_cpu = 0
iou_thres = 0.45
nms_thres = 0.5
conf_thres = 0.001  # it has hardly learned anything
pos_thres = 0.01
"""


@dataclass(frozen=True)
class Moved:
    """A user's folder after `import-cfg`, and what the command said of each config."""

    place: Any
    said: dict[int, str]


@pytest.fixture(scope="module")
def moved(new_place: Callable[[str], Any]) -> Moved:
    place = new_place("moved")
    folder = place.folder
    for i, (name, images) in enumerate((("initial", 20), ("sample", 42))):
        scenes = DigitsData(images=images, size_px=64, seed=i)
        write_scenes(folder / "scenes" / name, scenes)
        for part in ("images", "labels"):
            target = folder / "data" / name / part
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / "scenes" / name / part).rename(target)
    config = folder / "config"
    config.mkdir()
    (config / "digits.names").write_text("\n".join(NAMES) + "\n\n")
    (config / "tiny.cfg").write_text(tiny())
    (config / "retrain.cfg").write_text(PARENT)
    said = {}
    for share in SHARES:
        images = SAMPLING_BATCH * share // 100
        text = f"inherit = config/retrain.cfg\nbandwidth = {images}   # {share} %\n"
        (config / f"digits-retrain-{share}.cfg").write_text(text)
        ended = place.backhaul("import-cfg", f"config/digits-retrain-{share}.cfg")
        assert ended.code == 0, ended.err
        said[share] = ended.out
    return Moved(place, said)


@pytest.mark.parametrize("share", SHARES)
def test_each_variant_becomes_a_campaign(moved: Moved, share: int) -> None:
    path = moved.place.folder / "config" / f"digits-retrain-{share}.yaml"
    config = yaml.safe_load(path.read_text())
    assert config["bandwidth"]["images"] == SAMPLING_BATCH * share // 100
    assert config["training"]["model"] == "yolov3-tiny"
    assert "The same here" in moved.said[share]
    assert "backhaul export" in moved.said[share]
    assert moved.place.backhaul("validate", path).code == 0


def test_a_second_import_overwrites_nothing(moved: Moved) -> None:
    ended = moved.place.backhaul("import-cfg", "config/digits-retrain-15.cfg")
    assert "exists already" in ended.one_error()


@pytest.mark.slow
def test_the_layers_of_the_config_are_trained_and_losses_are_logged_as_often_as_it_said(
    moved: Moved, tmp_path: Path
) -> None:
    folder = moved.place.folder
    config = load_config(folder / "config" / "digits-retrain-30.yaml", ())
    names = folder / "config" / "digits.names"
    data = FolderData(root=folder / "data" / "initial", names=names)
    images = read(data).images
    parts = (images.ids[:12], images.ids[12:16], images.ids[16:])
    write_work_folder(tmp_path, Splits(*(images.take(ids) for ids in parts)))
    job = TrainingJob(
        folder=tmp_path,
        class_names=NAMES,
        settings=config.training,
        stopping=config.stopping,
        epochs=config.training.max_epochs,
        seed=config.seed,
    )
    events = list(train(job))
    assert [e.epoch for e in events if isinstance(e, StepDone)] == [1, 1, 2, 2]
    epochs = [e for e in events if isinstance(e, EpochDone)]
    assert [e.record.epoch for e in epochs] == [1, 2]
    checkpoint = epochs[-1].checkpoint
    assert checkpoint is not None
    assert checked_digest(checkpoint, NAMES, config.training) == epochs[-1].sha256


@pytest.fixture(scope="module")
def run(moved: Moved) -> Any:
    """Played with a detector whose numbers are fixed: they say how many images may be sent."""
    changes = [
        "methods=[median-below-thresh,bin-quintile]",
        "batches.count=1",
        "control=false",
        f"training.detector={FIXED['detector']}",
    ]
    arguments = [word for change in changes for word in ("--set", change)]
    config = "config/digits-retrain-30.yaml"
    ended = moved.place.backhaul("run", config, *arguments)
    assert ended.code == 0, ended.err
    return moved.place.run("digits-retrain-30")


def test_the_campaign_is_what_the_config_said(run: Any) -> None:
    assert run.json["class_names"] == list(NAMES)
    initial = {part: set(run.listed(f"init_{part}.txt")) for part in ("train", "valid", "test")}
    assert {part: len(names) for part, names in initial.items()} == {
        "train": 12,
        "valid": 4,
        "test": 4,
    }
    assert len(run.listed("sample0.txt")) == SAMPLING_BATCH
    for method in ("median-below-thresh", "bin-quintile"):
        assert len(run.listed(f"{method}0_sample_2.txt")) == SAMPLING_BATCH * 30 // 100
        assert len(run.listed(f"{method}0_train.txt")) == 3
    assert {t["epochs"] for t in run.json["trainings"]} == {2}
    assert run.json["config"]["training"]["gradient_accumulations"] == 2


def test_old_and_new_images_come_from_their_own_sets(moved: Moved, run: Any) -> None:
    folder = moved.place.folder / "data"
    sample = (run.folder / "output" / "sample0.txt").read_text().splitlines()
    initial = (run.folder / "output" / "init_train.txt").read_text().splitlines()
    assert all(Path(path).is_relative_to(folder / "sample") for path in sample)
    assert all(Path(path).is_relative_to(folder / "initial") for path in initial)
