"""What an export makes of a config and of a benchmark."""

import re

import pandas as pd
import pytest

from backhaul.benchmark import BENCHMARK_COLUMNS
from backhaul.config import CampaignConfig
from backhaul.export import earlier_benchmark, retrain_cfg

CONFIG = {
    "name": "x",
    "data": {"kind": "folder", "root": "/data/cars"},
    "bandwidth": {"images": 30},
    "methods": ["iqr"],
    "stopping": {"kind": "up", "strip_len": 4, "successions": 2},
    "augmentation": {"images_per_class": 200, "major": True},
    "training": {"model": "yolov3-tiny", "multiscale": 0.25, "gradient_accumulations": 2},
}


KEYS = """
class_list model_config images_per_class aug_compose early_stop max_epochs conf_check_num
logs_per_epoch initial_set train_init valid_init sample_set sampling_batch bandwidth
train_sample valid_sample retrain_new parallel log output checkpoints strip_len successions
img_size batch_size clip gradient_accumulations evaluation_interval checkpoint_interval
multiscale n_cpu iou_thres nms_thres conf_thres pos_thres
"""


def lines(**changes: object) -> dict[str, str]:
    config = CampaignConfig.model_validate(CONFIG | changes).model_dump(mode="json")
    pairs = [line.split(" = ") for line in retrain_cfg(config).splitlines()]
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(map(tuple, pairs))  # type: ignore[arg-type]


def test_every_key_of_the_earlier_tool_is_written() -> None:
    """These are the keys that its documentation lists."""
    written = lines()
    assert set(written) == set(re.findall(r"\w+", KEYS))
    some = ("model_config", "bandwidth", "aug_compose", "early_stop", "strip_len", "multiscale")
    assert [written[k] for k in some] == ["yolov3-tiny", "30", "1", "1", "4", "1"]
    assert written["initial_set"] == written["sample_set"] == "/data/cars"


def test_what_the_earlier_tool_does_not_know_is_left_out() -> None:
    written = lines(
        stopping={"kind": "none"}, bandwidth={"bytes": 9}, data={"kind": "digits"}, parallel=1
    )
    assert not {"strip_len", "bandwidth", "sample_set", "initial_set"} & set(written)
    assert (written["early_stop"], written["parallel"]) == ("0", "0")


def test_an_initial_set_of_its_own_is_named() -> None:
    written = lines(initial={"data": {"root": "/data/first"}, "images": None})
    assert (written["initial_set"], written["sample_set"]) == ("/data/first", "/data/cars")


def test_benchmarks_have_the_columns_of_the_earlier_tool() -> None:
    table = pd.DataFrame([range(len(BENCHMARK_COLUMNS))], columns=list(BENCHMARK_COLUMNS))
    header = earlier_benchmark(table).to_csv(index=False).splitlines()[0]
    assert header == "file,detected,actual,conf,conf_std,hit"


@pytest.mark.parametrize("key", ["parallel", "initial"])
def test_a_run_of_an_earlier_version_lacks_some_fields(key: str) -> None:
    config = CampaignConfig.model_validate(CONFIG).model_dump(mode="json")
    del config[key]
    assert "model_config = yolov3-tiny\n" in retrain_cfg(config)
