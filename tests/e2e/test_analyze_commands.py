"""Every `backhaul analyze` command by itself, on campaigns on digits and on BCCD."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from backhaul.cli.commands import app

pytestmark = [pytest.mark.prefect, pytest.mark.train]

COMMANDS = {
    "curves_loss+recall": ["curves", "RUN", "--metric", "loss", "--metric", "recall"],
    "method_true-random": ["method", "RUN", "true-random"],
    "compare_map50_over_init_median": [
        "compare",
        "RUN",
        "--compare-init",
        "--aggregate",
        "median",
    ],
    "histogram": ["histogram", "RUN"],
    "rolling_window20": ["rolling", "RUN", "--window", "20"],
}
"""By the name of the finding that they leave."""


PLAYED = [
    "fixed",
    pytest.param("played_bccd", marks=pytest.mark.slow),
    pytest.param("played_demo", marks=[pytest.mark.slow, pytest.mark.timeout(1500)]),
]


@pytest.fixture(scope="module", params=PLAYED)
def folder(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a run, since the commands write into it."""
    run = request.getfixturevalue(request.param).run.folder
    copy = tmp_path_factory.mktemp("analysed") / run.name
    return Path(shutil.copytree(run, copy, ignore=shutil.ignore_patterns("checkpoints")))


@pytest.fixture
def analyze(folder: Path) -> Callable[..., str]:
    def call(*arguments: str) -> str:
        words = [str(folder) if word == "RUN" else word for word in arguments]
        result = CliRunner().invoke(app, ["analyze", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


@pytest.mark.parametrize("name", COMMANDS)
def test_it_leaves_a_table_and_a_picture_and_shows_them_on_the_page(
    name: str, analyze: Callable[..., str], folder: Path
) -> None:
    printed = analyze(*COMMANDS[name], "--format", "json")
    kept = folder / "analysis" / name
    assert len(pd.read_csv(kept.with_suffix(".csv")))
    assert kept.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    finding = json.loads(kept.with_suffix(".json").read_text())
    assert json.loads(printed) == finding
    assert finding["title"] in (folder / "report.html").read_text(encoding="utf-8")


def test_classes_of_a_benchmark_lie_beside_it(
    analyze: Callable[..., str], folder: Path
) -> None:
    benchmark = next((folder / "output").glob("true-random0_benchmark_avg_1_*.csv"))
    analyze("classes", str(benchmark))
    beside = benchmark.with_name(f"{benchmark.stem}_classes.csv")
    truths = pd.read_csv(benchmark)["actual"].value_counts()
    table = pd.read_csv(beside)
    found = table[table["class"].isin(truths.index)].set_index("class")
    assert (found["TP"] + found["FN"]).to_dict() == truths.to_dict()


def test_a_regression_over_methods_and_batches(folder: Path) -> None:
    gained = pd.read_csv(folder / "summary.csv").query("test_set == 'common'")
    arms = gained[~gained["method"].isin(["init", "no-new-data"])]
    varies = gained["mAP50"].nunique() > 1  # a model that hardly learned may find nothing
    assert varies or folder.name != "tiny"
    options = ["--feature", "mean_bytes", "--gain", "initial", "--by", "batch"]
    arguments = ["analyze", "regression", str(folder), *options, "--format", "json"]
    result = CliRunner().invoke(app, arguments)
    if varies:
        table = json.loads(result.stdout)
        assert dict(zip(table["columns"], table["rows"][0], strict=True))["n"] == len(arms)
    else:
        assert "expected it to vary" in str(result.exception)
