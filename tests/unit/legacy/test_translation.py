import re
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.config import CampaignConfig
from backhaul.configfile import load_config
from backhaul.errors import InputError
from backhaul.legacy.cfgfile import read_cfg
from backhaul.legacy.rules import RULES
from backhaul.legacy.translation import Translation, translate

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
        "images_per_class",
        "retrain_new",
        "parallel",
        "multiscale",
    }
    assert all(row.why for row in rows.values() if row.fate != "mapped")
    assert rows["bandwidth"].here == "bandwidth.images = 100"


def test_the_yaml_says_where_a_value_came_from(write: Write) -> None:
    child = write("config/60.cfg", "inherit = config/retrain.cfg\nbandwidth = 120 # 60 %\n")
    text = translate(read_cfg(child), "cars").yaml
    assert "images: 120  # bandwidth, config/60.cfg:2: 60 %" in text
    assert "sampling_batch: 200  # sampling_batch, config/retrain.cfg:18" in text


def test_defect_35_unknown_and_missing_parameters_are_named(write: Write) -> None:
    path = write("a.cfg", "sample_set = s\nbandwidth = 5\nbanwidth = 6\n")
    rows = {row.key: row for row in translate(read_cfg(path), "a").rows}
    assert "a.cfg:3: no such parameter; is bandwidth meant?" in rows["banwidth"].why
    assert rows["img_size"].fate == "missing"
    with pytest.raises(InputError, match="bandwidth: is missing"):
        translate(read_cfg(write("b.cfg", "sample_set = s\n")), "b")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("retrain_new = 0", "a.cfg:2: retrain_new: Input should be greater than 0"),
        ("img_size = 400", "a.cfg:2: img_size: Input should be a multiple of 32"),
        ("train_init = 0.9", "train + valid must be below 1"),
        ("max_epochs = many", "a.cfg:2: max_epochs: could not convert"),
        ("batch_size = 1.5", "a.cfg:2: batch_size: expected a whole number"),
        ("early_stop = 2", "a.cfg:2: early_stop: expected 0 or 1"),
        ("strip_len = 5\nevaluation_interval = 2", "strip_len must be a multiple"),
        ("model_config = gone.cfg", "a.cfg:2: model_config: gone.cfg: no such file"),
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
    assert rows["[net] learning_rate"].value == "0.001"
    assert "training.lr0" in rows["[net] learning_rate"].why
