import re
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.configfile import load_config
from backhaul.campaign.legacy.cfgfile import read_cfg
from backhaul.campaign.legacy.rules import RULES
from backhaul.campaign.legacy.translation import Translation, translate
from backhaul.errors import InputError

Write = Callable[..., Path]
PARENT = Path("config/retrain.cfg")


def load(write: Write, translation: Translation) -> CampaignConfig:
    return load_config(write("campaign.yaml", translation.yaml))


def test_every_parameter_keeps_its_meaning(write: Write) -> None:
    config = load(write, translate(read_cfg(PARENT), "cars"))
    data, initial = config.data, config.initial
    assert data.kind == "folder"
    assert initial.data is not None
    assert (str(data.root), str(initial.data.root)) == ("data/sample", "data/initial")
    assert str(data.names) == str(initial.data.names) == "config/digits.names"
    assert (initial.images, initial.train, initial.valid) == (None, 0.6, 0.2)
    assert config.batches.model_dump() == {
        "train": 0.8,
        "valid": 0.1,
        "sampling_batch": 200,
        "count": None,
        "holdout_batches": 0,
        "order": "random",
        "gap": 0,
    }
    assert (config.bandwidth.images, config.mixing.retrain_new) == (100, 0.75)
    assert (config.augmentation.images_per_class, config.augmentation.major) == (60, False)
    assert config.stopping.model_dump() == {"kind": "up", "strip_len": 5, "successions": 3}
    training = config.training
    assert training.model == "yolov3-tiny"
    assert (training.max_epochs, training.img_size, training.batch_size) == (100, 416, 16)
    assert (training.clip, training.gradient_accumulations) == (1.0, 2)
    assert (training.evaluation_interval, training.checkpoint_interval) == (1, 1)
    assert training.multiscale == pytest.approx(96 / 416, abs=1e-4)
    assert (training.n_cpu, training.logs_per_epoch, config.parallel) == (4, 4, 2)
    inference, evaluation = config.inference, config.evaluation
    assert (inference.conf_check_num, inference.nms_thres) == (5, 0.5)
    assert (inference.conf_thres, evaluation.pos_thres) == (0.1, 0.5)
    assert inference.iou_thres == evaluation.iou_thres == 0.45
    assert len(config.methods) == 10


def test_there_is_a_row_for_every_parameter(write: Write) -> None:
    rows = {row.key: row for row in translate(read_cfg(PARENT), "cars").rows}
    assert rows.keys() == RULES.keys()
    assert {k for k, row in rows.items() if row.fate == "refused"} == {
        "log",
        "output",
        "checkpoints",
    }
    assert {k for k, row in rows.items() if row.fate == "changed"} == {
        "model_config",
        "images_per_class",
        "aug_compose",
        "retrain_new",
        "parallel",
        "multiscale",
        "n_cpu",
    }
    assert all(row.why for row in rows.values() if row.fate != "mapped")
    assert rows["bandwidth"].here == "bandwidth.images = 100"


def test_the_yaml_says_where_a_value_came_from(write: Write) -> None:
    child = write("config/60.cfg", "inherit = config/retrain.cfg\nbandwidth = 120 # 60 %\n")
    text = translate(read_cfg(child), "cars").yaml
    assert text.startswith(
        "# Imported from config/60.cfg, which inherits from config/retrain.cfg.\n"
    )
    assert "images: 120  # bandwidth, config/60.cfg:2: 60 %" in text
    assert "sampling_batch: 200  # sampling_batch, config/retrain.cfg:18" in text


def test_defect_35_unknown_and_missing_parameters_are_named(write: Write) -> None:
    path = write("a.cfg", "sample_set = s\nbandwidth = 5\nbanwidth = 6\n")
    rows = {row.key: row for row in translate(read_cfg(path), "a").rows}
    assert "a.cfg:3: no such parameter; is bandwidth meant?" in rows["banwidth"].why
    assert (rows["img_size"].fate, rows["img_size"].here) == (
        "missing",
        "training.img_size = 640",
    )
    with pytest.raises(InputError, match=r"b\.cfg: bandwidth missing"):
        translate(read_cfg(write("b.cfg", "sample_set = s\n")), "b")


@pytest.mark.parametrize(
    ("named", "found"),
    [("config/retrain.cfg", "in the working directory"), ("retrain.cfg", "beside that file")],
)
def test_it_is_said_which_parent_was_taken(write: Write, named: str, found: str) -> None:
    child = write("config/60.cfg", f"inherit = {named}\n")
    row = translate(read_cfg(child), "cars").rows[0]
    assert (row.key, row.value, row.here) == ("inherit", named, "read config/retrain.cfg")
    assert f"in config/60.cfg:1; found {found}" in row.why


@pytest.mark.parametrize("side", [128, 320, 416, 608])
def test_multiscale_goes_three_strides_up_and_down(write: Write, side: int) -> None:
    path = write("a.cfg", f"inherit = config/retrain.cfg\nimg_size = {side}\n")
    fraction = load(write, translate(read_cfg(path), "a")).training.multiscale
    stride = 32  # what follows is how Ultralytics draws a side
    low, high = int(side * (1 - fraction)), int(side * (1 + fraction) + stride) - 1
    assert (low // stride * stride, high // stride * stride) == (side - 96, side + 96)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("retrain_new = 0", "a.cfg:2: retrain_new: expected a fraction above 0, got '0'"),
        ("retrain_new = 0", "is the control arm no-new-data"),
        ("img_size = 400", "a.cfg:2: img_size: Input should be a multiple of 32"),
        ("train_init = 0.9", "(a.cfg:2: train_init = 0.9, config/retrain.cfg:14: valid_init ="),
        ("max_epochs = many", "a.cfg:2: max_epochs: expected a number"),
        ("batch_size = 1.5", "a.cfg:2: batch_size: expected a whole number"),
        ("early_stop = 2", "a.cfg:2: early_stop: expected 0 or 1"),
        ("strip_len = 5\nevaluation_interval = 2", "(a.cfg:2: strip_len = 5, a.cfg:3: eval"),
        ("model_config = gone.cfg", "a.cfg:2: model_config: gone.cfg: no such file"),
        ("model_config = yolov3.txt", "expected a Darknet .cfg, or yolov3"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_line(
    write: Write, line: str, reason: str
) -> None:
    path = write("a.cfg", f"inherit = config/retrain.cfg\n{line}\n")
    with pytest.raises(InputError, match=re.escape(reason)):
        translate(read_cfg(path), "a")


def test_without_early_stop_its_settings_are_left_out(write: Write) -> None:
    path = write("a.cfg", "inherit = config/retrain.cfg\nearly_stop = 0\n")
    translation = translate(read_cfg(path), "a")
    assert load(write, translation).stopping.kind == "none"
    rows = {row.key: row.fate for row in translation.rows}
    assert rows["strip_len"] == rows["successions"] == "refused"


def test_without_an_initial_set_it_is_drawn_from_the_sample_set(write: Write) -> None:
    path = write("a.cfg", "sample_set = s\nbandwidth = 5\ntrain_init = 0.5\n")
    config = load(write, translate(read_cfg(path), "a"))
    assert config.initial.data is None
    assert (config.initial.images, config.initial.train) == (100, 0.5)


def test_what_a_darknet_file_says_of_training_is_listed(write: Write, darknet: str) -> None:
    write("config/own.cfg", darknet)
    path = write("a.cfg", "inherit = config/retrain.cfg\nmodel_config = config/own.cfg\n")
    translation = translate(read_cfg(path), "a")
    assert load(write, translation).training.model == "yolov3-tiny"
    rows = {row.key: row for row in translation.rows}
    rate = rows["[net] learning_rate"]
    assert (rate.value, rate.fate, rate.here) == ("0.001", "changed", "training.lr0 = 0.002")
    assert "set training.lr0=0.001" in rate.why
    assert (rows["[net] channels"].fate, rows["[net] channels"].here) == ("mapped", "always so")
    assert (rows["[net] width"].fate, rows["[net] burn_in"].fate) == ("mapped", "refused")


@pytest.mark.parametrize(
    ("names", "fate", "here"),
    [
        ("car\nbus\n\n", "changed", "2 in config/digits.names"),
        ("\n".join(map(str, range(80))), "mapped", "80 in config/digits.names"),
        (None, "changed", "as many as the data set has"),
    ],
)
def test_another_number_of_classes_is_noted(
    write: Write, darknet: str, names: str | None, fate: str, here: str
) -> None:
    write("config/own.cfg", darknet)
    if names is not None:
        write("config/digits.names", names)
    path = write("a.cfg", "inherit = config/retrain.cfg\nmodel_config = config/own.cfg\n")
    rows = {row.key: row for row in translate(read_cfg(path), "a").rows}
    classes = rows["[yolo] classes"]
    assert (classes.value, classes.fate, classes.here) == ("80", fate, here)


def test_a_model_may_be_named_as_papers_write_it(write: Write) -> None:
    path = write("a.cfg", "inherit = config/retrain.cfg\nmodel_config = YOLOv3-SPP\n")
    assert load(write, translate(read_cfg(path), "a")).training.model == "yolov3-spp"
