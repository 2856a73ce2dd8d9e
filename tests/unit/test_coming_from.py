"""The guide for users of the earlier tool leaves nothing out."""

import re
from pathlib import Path

import pytest
import typer.main

from backhaul.campaign.legacy.cfgfile import INHERIT
from backhaul.campaign.legacy.network import FIELDS, REASONS
from backhaul.campaign.legacy.rules import METHODS, RULES
from backhaul.cli.commands import app
from backhaul.cli.lazy import LazyGroup, load

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "coming-from-bandwidth-aware-learning.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("| then", "| ---"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_no_cell_is_empty(row: list[str]) -> None:
    assert len(row) == 3
    assert all(row)


@pytest.mark.parametrize("key", [INHERIT, *RULES])
def test_every_parameter_is_there_with_its_field(key: str) -> None:
    here = {row[0].strip("`"): row[1] for row in ROWS}[key]
    assert all(f"`{field}`" in here for field in RULES[key].here) if key in RULES else here


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([\w.-]+\.md)[#)]", TEXT))))
def test_what_it_links_to_is_there(target: str) -> None:
    assert (DOCS / target).is_file()


@pytest.mark.parametrize("word", [*FIELDS, *REASONS, *METHODS])
def test_every_method_and_option_of_a_darknet_file_is_there(word: str) -> None:
    assert any(f"`{word}`" in row[0] for row in ROWS)


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\(#([\w-]+)\)", TEXT))))
def test_what_it_points_at_in_itself_is_there(anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    assert anchor in [re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings]


COMMANDS = sorted(set(re.findall(r"`backhaul (analyze \w+|[\w-]+)", TEXT)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str) -> None:
    known = typer.main.get_command(app)
    for word in command.split():
        assert isinstance(known, LazyGroup)
        known = load(word, known.entries[word])
