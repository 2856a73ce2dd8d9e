"""`backhaul analyze`: every command from its arguments to its files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from backhaul.campaign.finding import Finding
from backhaul.campaign.importing import import_findings
from backhaul.cli.commands import app
from backhaul.errors import InputError

BENCHMARK = "output/iqr0_benchmark_avg_1_10.csv"
COMMANDS = {
    "curves": ["curves", "street-cameras"],
    "method_iqr": ["method", "street-cameras", "iqr"],
    "compare_map50": ["compare", "street-cameras"],
    "compare_recall_over_init": [
        "compare",
        "street-cameras",
        "--metric",
        "recall",
        "--compare-init",
    ],
    "regression_mean_conf_initial_map50": [
        *("regression", "street-cameras", "--feature", "mean_conf", "--gain", "initial")
    ],
    "histogram_iqr": ["histogram", "street-cameras", "--method", "iqr"],
    "rolling_window5": ["rolling", "street-cameras", "--window", "5"],
}


def analyze(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["analyze", *arguments])


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backhaul.analysis.png.DPI", 30)


@pytest.fixture(autouse=True)
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each writes the page of its run again, which tests/e2e/test_analyze_commands.py sees."""
    monkeypatch.setattr("backhaul.report.write_report", lambda run, pictures: "report.html")


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is said: most of a command's time goes into its picture."""
    monkeypatch.setattr("backhaul.analysis.writing.draw", lambda finding: b"")


@pytest.fixture
def folder(
    fake_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.chdir(tmp_path)
    written: Path = fake_run().write()
    return written


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_print_and_write_the_finding(folder: Path, name: str) -> None:
    result = analyze(*COMMANDS[name], "--format", "csv")
    assert result.exit_code == 0, result.output
    for suffix in ("json", "csv", "png"):
        place = f"runs/street-cameras/analysis/{name}.{suffix}"
        assert f"written: {place}" in result.stderr
        assert Path(place).stat().st_size > 0
    assert result.stdout == (folder / f"analysis/{name}.csv").read_text()
    (finding,) = import_findings(folder).values()
    assert isinstance(finding, Finding)
    assert finding.name == name
    assert len(finding.table) == len(pd.read_csv(folder / f"analysis/{name}.csv"))


@pytest.mark.usefixtures("no_pictures")
def test_a_pipe_may_get_json_and_a_reader_a_table(folder: Path) -> None:
    json = analyze("compare", "street-cameras", "--format", "json").stdout
    (finding,) = import_findings(folder).values()
    assert isinstance(finding, Finding)
    assert Finding.model_validate_json(json) == finding
    table = analyze("compare", "street-cameras").stdout.splitlines()
    assert table[0] == finding.title
    assert table[2].split() == ["method", "batch0", "batch1", "batch2"]
    assert table[4].split() == ["true-random", "0.33", "0.36", "0.39"]


@pytest.mark.usefixtures("no_pictures")
def test_filters_take_methods_with_commas_and_repeated(folder: Path) -> None:
    kept = ["--filter-sample", "iqr,no-new-data", "--filter-sample", "true-random"]
    result = analyze("compare", "street-cameras", *kept, "--format", "csv")
    rows = [line.split(",")[0] for line in result.stdout.splitlines()[1:]]
    assert rows == ["true-random", "iqr", "no-new-data"]


def test_benchmark_files_get_their_tables_beside_them(folder: Path) -> None:
    before = (folder / BENCHMARK).read_bytes()
    for command in ("classes", "histogram", "rolling"):
        result = analyze(command, str(folder / BENCHMARK))
        assert result.exit_code == 0, result.output
        stem = (folder / BENCHMARK).with_suffix("")
        assert Path(f"{stem}_{command}.csv").exists()
        assert Path(f"{stem}_{command}.png").exists()
    assert (folder / BENCHMARK).read_bytes() == before
    assert not (folder / "analysis").exists()


@pytest.mark.usefixtures("no_pictures")
def test_wide_tables_lie_on_their_side(folder: Path) -> None:
    lines = analyze("method", "street-cameras", "iqr").stdout.splitlines()
    assert lines[2].split() == ["batch", "-", "0", "1", "2"]
    assert max(map(len, lines[:-1])) < 80


@pytest.mark.usefixtures("no_pictures")
def test_long_tables_say_what_is_left_out(folder: Path) -> None:
    result = analyze("curves", "street-cameras")
    assert "... and 70 more rows in the files" in result.stdout


def test_words_in_tables_are_no_markup(fake_run: Callable[..., Any], tmp_path: Path) -> None:
    folder = fake_run(class_names=("[red]x", "y")).write()
    assert "[red]x" in analyze("classes", str(folder / BENCHMARK)).stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["curves", "nosuch"], "nosuch: no run there"),
        (["compare", "street-cameras", "--metric", "map"], "unknown metric 'map'"),
        (["method", "street-cameras", "x"], "no method 'x'"),
        (["classes", "nosuch.csv"], r"nosuch\.csv: No such file.*expected a benchmark file"),
        (["classes", "street-cameras"], "benchmark file, .*such as .*/output/"),
        (["rolling", "nosuch.csv"], r"nosuch\.csv: No such file.*expected a benchmark file"),
        (
            ["curves", f"runs/street-cameras/{BENCHMARK}"],
            "is a file: expected the name of a run",
        ),
        (["rolling", f"runs/street-cameras/{BENCHMARK}", "--method", "iqr"], "--method"),
        (["histogram", "street-cameras", "--class", "bird"], "nothing was detected as 'bird'"),
    ],
)
def test_wrong_input_ends_in_one_line(folder: Path, arguments: list[str], reason: str) -> None:
    result = analyze(*arguments)
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=reason):
        raise result.exception


@pytest.mark.usefixtures("no_pictures")
def test_seeds_are_named_or_pooled(folder: Path) -> None:
    record = (folder / "run.json").read_bytes()
    for seed in ("seed2", "seed10"):
        (folder / seed).mkdir()
        for part in ("summary.csv", "run.json", "output"):
            (folder / seed / part).symlink_to(folder / part)
    (folder / "seed2/run.json").unlink()
    (folder / "seed2/run.json").write_bytes(record)
    (folder / "seed10/run.json").unlink()
    (folder / "seed10/run.json").write_bytes(record)
    (folder / "run.json").unlink()
    reason = str(analyze("compare", "street-cameras").exception)
    assert reason.endswith("holds seed2, seed10: name one, such as street-cameras/seed2")
    assert analyze("compare", "street-cameras/seed10").exit_code == 0
    options = ["--feature", "mean_conf", "--gain", "initial", "--format", "json"]
    result = analyze("regression", "street-cameras", *options)
    finding = Finding.model_validate_json(result.stdout)
    assert finding.table["n"].tolist() == [6]
    assert (folder / "analysis/regression_mean_conf_initial_map50_2_runs.csv").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"methods": ("iqr", "random"), "batches": 2, "truth": False, "failed": "iqr"},
        {"methods": ("iqr",), "batches": 1},
    ],
)
def test_incomplete_runs_give_tables_or_a_reason(
    fake_run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_run(**changes).write()
    for arguments in COMMANDS.values():
        error = analyze(*arguments).exception
        assert error is None or isinstance(error, InputError), arguments


@pytest.mark.parametrize("command", ["", *(names[0] for names in COMMANDS.values()), "classes"])
def test_help_shows_examples(command: str) -> None:
    result = analyze(*[command][: bool(command)], "--help")
    assert result.exit_code == 0
    assert f"backhaul analyze {command}" in result.stdout
