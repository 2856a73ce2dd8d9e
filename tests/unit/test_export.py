"""What an export makes of a config and of a benchmark."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.earlier import earlier_benchmark, retrain_cfg
from backhaul.campaign.legacy.cfgfile import read_cfg
from backhaul.campaign.legacy.rules import RULES
from backhaul.campaign.legacy.translation import translate
from backhaul.measure.matching import BENCHMARK_COLUMNS

CONFIG = {
    "name": "x",
    "data": {"kind": "folder", "root": "/data/cars"},
    "bandwidth": {"images": 30},
    "methods": ["iqr"],
    "stopping": {"kind": "up", "strip_len": 4, "successions": 2},
    "augmentation": {"images_per_class": 200, "major": True},
    "training": {"model": "yolov3-tiny", "multiscale": 0.25, "gradient_accumulations": 2},
}


def lines(**changes: object) -> dict[str, str]:
    config = CampaignConfig.model_validate(CONFIG | changes).model_dump(mode="json")
    pairs = [line.split(" = ") for line in retrain_cfg(config).splitlines()]
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(map(tuple, pairs))  # type: ignore[arg-type]


def test_every_key_of_the_earlier_tool_is_written() -> None:
    written = lines(initial={"data": {"root": "/data/first"}, "images": None})
    assert {key for key in written if not key.startswith("#")} == set(RULES)
    some = ("model_config", "bandwidth", "aug_compose", "early_stop", "strip_len", "multiscale")
    assert [written[k] for k in some] == ["yolov3-tiny", "30", "1", "1", "4", "1"]
    assert (written["initial_set"], written["sample_set"]) == ("/data/first", "/data/cars")


def test_what_no_key_can_say_is_a_comment() -> None:
    config = CampaignConfig.model_validate(CONFIG).model_dump(mode="json")
    changes = {"stopping": {"kind": "gl", "alpha": 5.0}, "bandwidth": {"bytes": 7_000}}
    remarks = [
        line for line in retrain_cfg(config | changes).splitlines() if line.startswith("#")
    ]
    assert "# bandwidth.bytes = 7000 has no key here" in remarks
    assert "# stopping.kind = gl has no key here" in remarks


def test_a_config_that_went_out_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CampaignConfig.model_validate(CONFIG)
    (tmp_path / "retrain.cfg").write_text(retrain_cfg(config.model_dump(mode="json")))
    monkeypatch.chdir(tmp_path)
    text = translate(read_cfg(Path("retrain.cfg")), "x").yaml
    back = CampaignConfig.model_validate(yaml.safe_load(text))
    for part in ("training", "stopping", "inference", "mixing", "evaluation", "bandwidth"):
        mine = getattr(config, part).model_dump(exclude={"multiscale"})
        assert getattr(back, part).model_dump(exclude={"multiscale"}) == mine
    assert back.batches.fractions == config.batches.fractions
    assert back.augmentation.images_per_class == config.augmentation.images_per_class
    assert back.initial.data is None


def test_what_the_earlier_tool_does_not_know_is_left_out() -> None:
    written = lines(
        stopping={"kind": "none"}, bandwidth={"bytes": 9}, data={"kind": "digits"}, parallel=1
    )
    assert set(RULES) - set(written) == {
        "strip_len",
        "successions",
        "bandwidth",
        "sample_set",
        "initial_set",
    }
    assert (written["early_stop"], written["parallel"]) == ("0", "0")


def test_benchmarks_have_the_columns_of_the_earlier_tool() -> None:
    table = pd.DataFrame([range(len(BENCHMARK_COLUMNS))], columns=list(BENCHMARK_COLUMNS))
    header = earlier_benchmark(table).to_csv(index=False).splitlines()[0]
    assert header == "file,detected,actual,conf,conf_std,hit"


@pytest.mark.parametrize("key", ["parallel", "initial"])
def test_a_run_of_an_earlier_version_lacks_some_fields(key: str) -> None:
    config = CampaignConfig.model_validate(CONFIG).model_dump(mode="json")
    del config[key]
    assert "model_config = yolov3-tiny\n" in retrain_cfg(config)
