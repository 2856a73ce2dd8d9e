"""What the command says, and its exit codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backhaul.cli.commands import app

COMMANDS = (
    ["init"],
    ["run"],
    ["validate"],
    ["select"],
    ["export-model"],
    ["methods"],
    ["report"],
    ["data", "check"],
    ["data", "digits"],
)

NO_FOLDER = "data={kind: folder, root: nosuch}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, new_place: Callable[[str], Any]) -> Any:
    place = new_place("commands")
    place.config("good")
    return place


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert f"backhaul {' '.join(command)}" in shown.output.split("Example")[1]


def test_methods_are_listed() -> None:
    shown = CliRunner().invoke(app, ["methods"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    for method in ("median-below-thresh", "bin-quintile", "true-random", "no-new-data", "user"):
        assert method in shown.output


def test_digits_are_written_once_and_never_over_anything(tmp_path: Path) -> None:
    folder = tmp_path / "my digits"
    arguments = ["data", "digits", str(folder), "--images", "5"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert len(list((folder / "images").iterdir())) == 5
    checked = CliRunner().invoke(app, ["data", "check", str(folder)])
    assert checked.exit_code == 0
    assert "0 errors" in checked.output
    assert CliRunner().invoke(app, [*arguments[:-1], "6"]).exit_code != 0
    assert len(list((folder / "images").iterdir())) == 5


@pytest.mark.prefect
def test_a_good_config_is_valid(place: Any) -> None:
    ended = place.backhaul("validate", "good.yaml", "--set", "bandwidth.bytes=7")
    assert ended.code == 0
    assert "iqr, true-random, no-new-data" in ended.out
    assert "5 images and 7 bytes a batch" in ended.out


@pytest.mark.prefect
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("bandwith.images=3", "bandwith: is no key of a campaign"),
        ("bandwidth.images=-3", "bandwidth.images: Input should be greater than or equal to 0"),
        ("training.img_size=100", "training.img_size: Input should be a multiple of 32"),
        ("methods=[iqr, nosuch:Method]", "module 'nosuch' was not found on the import path"),
        ("methods=[iqrr]", "methods.0: 'iqrr' is none of random, true-random, median-thresh"),
        ("data={root: here}", "data.kind: is missing"),
        ("nonsense", "expected KEY=VALUE"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_wrong_config_ends_with_one_line(
    place: Any, command: str, setting: str, reason: str
) -> None:
    assert reason in place.backhaul(command, "good.yaml", "--set", setting).one_error()
    assert not (place.folder / "runs").exists()


@pytest.mark.prefect
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "nosuch.yaml"], "nosuch.yaml: No such file or directory"),
        (["report", "nosuch"], "nosuch: no run there"),
        (["data", "check", "nosuch"], "nosuch: no folder there"),
        (["validate", "good.yaml", "--set", NO_FOLDER], "data.root: no folder at nosuch"),
        (["run", "good.yaml", "--set", NO_FOLDER], "nosuch: expected the folder of a data set"),
    ],
)
def test_what_is_not_there_is_named(place: Any, arguments: list[str], reason: str) -> None:
    assert reason in place.backhaul(*arguments).one_error()


@pytest.mark.prefect
@pytest.mark.train
def test_a_name_belongs_to_one_config(fixed: Any) -> None:
    before = (fixed.run.folder / "run.json").read_bytes()
    settings = ("--set", "bandwidth.images=4", "--set", "training.lr0=0.5")
    line = fixed.place.backhaul("run", "tiny.yaml", *settings).one_error()
    assert "bandwidth.images was 5, now 4" in line
    assert "training.lr0 was 0.002, now 0.5" in line
    assert "--name" in line
    assert (fixed.run.folder / "run.json").read_bytes() == before


@pytest.mark.prefect
@pytest.mark.train
def test_the_report_can_be_made_again(fixed: Any) -> None:
    page = fixed.run.folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    ended = fixed.place.backhaul("report", "tiny")
    assert ended.code == 0, ended.err
    assert ended.out.strip() == "runs/tiny/report.html"
    assert page.read_bytes() == before
