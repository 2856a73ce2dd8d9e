"""What `backhaul import-cfg` writes and prints."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backhaul.campaign.configfile import load_config
from backhaul.cli.commands import app
from backhaul.errors import InputError

Write = Callable[..., Path]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["import-cfg", *arguments], env={"COLUMNS": "200"})


def test_it_writes_a_campaign_and_says_what_became_of_each_parameter(
    write: Write, darknet: str
) -> None:
    write("config/own.cfg", darknet)
    write(
        "config/cars 60.cfg", "inherit = retrain.cfg\nmodel_config = config/own.cfg\nfoo = 1\n"
    )
    result = run("config/cars 60.cfg")
    assert result.exit_code == 0, result.output
    assert load_config(Path("config/cars 60.yaml")).name == "cars-60"
    titles = ["The same here", "Means something else here", "Cannot be honoured"]
    places = [result.output.index(title) for title in titles]
    assert places == sorted(places)
    assert "[net] learning_rate" in result.output
    assert "config/cars 60.cfg:3: no such parameter" in result.output


def test_out_and_name_are_taken(write: Write) -> None:
    assert run("config/retrain.cfg", "--out", "new/cars.yaml", "--name", "first").exit_code == 0
    assert load_config(Path("new/cars.yaml")).name == "first"


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("there.yaml", r"there\.yaml: exists already; choose another"),
        ("there.yaml/cars.yaml", r"there\.yaml/cars\.yaml: "),
    ],
)
def test_what_cannot_be_written_is_one_line(write: Write, out: str, reason: str) -> None:
    write("there.yaml", "mine")
    result = run("config/retrain.cfg", "--out", out)
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=reason):
        raise result.exception
    assert Path("there.yaml").read_text() == "mine"
