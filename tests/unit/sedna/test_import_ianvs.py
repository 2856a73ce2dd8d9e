"""What `backhaul import-sedna` makes of a benchmark of Ianvs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backhaul.campaign.configfile import load_config
from backhaul.campaign.sedna.benchmark import translate_benchmark
from backhaul.campaign.sedna.resources import read_documents
from backhaul.cli.commands import app
from backhaul.errors import InputError

Write = Callable[..., Path]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["import-sedna", *arguments], env={"COLUMNS": "220"})


def test_a_benchmark_becomes_a_campaign_with_an_arm_a_point(
    benchmark: Write, here: Path
) -> None:
    result = run(str(benchmark()), "--to", "bridges.yaml")
    assert result.exit_code == 0, result.output
    config = load_config(Path("bridges.yaml"))
    assert (config.name, config.store) == ("bridges", "space")
    assert config.batches.count == 3
    assert config.publish is not None
    assert config.publish.method == config.methods[0].label
    assert config.data.model_dump()["root"] == "pictures/train"
    n_initial, n_batch = config.initial.images, config.batches.sampling_batch
    assert n_initial is not None
    assert n_initial + 4 * n_batch <= 200
    thresholds = {
        (m.model_dump()["filter"]["threshold_img"], m.model_dump()["filter"]["threshold_box"])
        for m in config.methods
    }
    assert thresholds == {(a, b) for a in (0.9, 0.5) for b in (0.9, 0.3)}
    assert "backhaul analyze leaderboard" in result.output


def test_what_a_benchmark_says_beside_is_told(benchmark: Write) -> None:
    rows = {row.key: row for row in translate_benchmark(read_documents([benchmark()])[0]).rows}
    beside = {"rank.save_mode", "incremental_learning_data_setting.splitting_method"}
    assert beside <= {key for key, row in rows.items() if row.why == "no field here"}
    assert rows["model_eval"].value == "f1_score >= 0.01"
    assert "accept.compare.metric = F1" in rows["model_eval"].here
    assert rows["basemodel.hyperparameters"].value == "momentum=0.95|0.5"


def test_files_of_a_benchmark_are_found_from_a_folder_above(
    benchmark: Write, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = benchmark()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert run(str(path), "--to", "bridges.yaml").exit_code == 0


def test_lists_of_images_have_an_earlier_name_too(benchmark: Write) -> None:
    documents = read_documents([benchmark("_index: ", "_url: ")])
    rows = {row.key: row for row in translate_benchmark(documents[0]).rows}
    assert "data.root = pictures/train" in rows["dataset.train_url"].here
    assert rows["dataset.test_url"].here == "batches.holdout_batches"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("train_index", "train_data", "testenv.yaml: dataset: expected train_index"),
        ("incrementallearning", "lifelonglearning", "expected incrementallearning"),
        ("./bench/one.yaml", "./bench/two.yaml", "./bench/two.yaml: no such file"),
        ("testenv:\n  dataset", "environment:\n  dataset", "expected the key testenv"),
        (
            "incremental_rounds: 3",
            "incremental_rounds: 0",
            "incremental_rounds: expected a whole",
        ),
        ("name: IBT", "name: Other", "expected one of"),
        ("[0.9, 0.3]", f"{[0.5] * 30}", "60 combinations, at most 50"),
    ],
)
def test_a_benchmark_that_is_wrong_is_one_line(
    benchmark: Write, old: str, new: str, reason: str
) -> None:
    documents = read_documents([benchmark(old, new)])
    with pytest.raises(InputError, match=reason.replace("[", r"\[")):
        translate_benchmark(documents[0])
