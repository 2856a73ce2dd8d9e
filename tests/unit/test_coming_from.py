"""The guides for users of other tools leave nothing out."""

import re
from pathlib import Path

import pytest
import typer.main

from backhaul.campaign.legacy.cfgfile import INHERIT
from backhaul.campaign.legacy.network import FIELDS, REASONS
from backhaul.campaign.legacy.rules import METHODS, RULES
from backhaul.campaign.sedna.filters import FILTERS
from backhaul.campaign.sedna.job import TEMPLATES, VARIABLES
from backhaul.campaign.sedna.loop import HOT_UPDATE, OPERATORS, SIGNS
from backhaul.cli.commands import app
from backhaul.cli.lazy import LazyGroup, load

DOCS = Path(__file__).resolve().parents[2] / "docs"
EARLIER, SEDNA = "coming-from-bandwidth-aware-learning.md", "coming-from-sedna.md"
TEXT = {name: (DOCS / name).read_text(encoding="utf-8") for name in (EARLIER, SEDNA)}


def rows_of(page: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT[page].splitlines()
        if line.startswith("|") and not line.startswith(("| then", "| there", "| ---"))
    ]


def found(pattern: str) -> list[tuple[str, str]]:
    return [
        (page, text) for page in TEXT for text in sorted(set(re.findall(pattern, TEXT[page])))
    ]


ROWS = rows_of(EARLIER)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_no_cell_is_empty(row: list[str]) -> None:
    assert len(row) == 3
    assert all(row)


@pytest.mark.parametrize("row", rows_of(SEDNA), ids=lambda row: row[0])
def test_every_field_of_sedna_and_ianvs_has_a_place_here(row: list[str]) -> None:
    assert len(row) == 3
    assert all(row[:2])


@pytest.mark.parametrize("key", [INHERIT, *RULES])
def test_every_parameter_is_there_with_its_field(key: str) -> None:
    here = {row[0].strip("`"): row[1] for row in ROWS}[key]
    assert all(f"`{field}`" in here for field in RULES[key].here) if key in RULES else here


@pytest.mark.parametrize(("page", "target"), found(r"\]\(([\w.-]+\.md)[#)]"))
def test_what_it_links_to_is_there(page: str, target: str) -> None:
    assert (DOCS / target).is_file()


@pytest.mark.parametrize("word", [*FIELDS, *REASONS, *METHODS])
def test_every_method_and_option_of_a_darknet_file_is_there(word: str) -> None:
    assert any(f"`{word}`" in row[0] for row in ROWS)


@pytest.mark.parametrize(
    "word",
    [
        *(name for known in FILTERS.values() for name in known.parameters),
        *(f"deploySpec.model.{key}" for key in HOT_UPDATE),
        *(*FILTERS, *TEMPLATES, *VARIABLES, *OPERATORS, *SIGNS),
    ],
)
def test_all_that_the_import_knows_of_sedna_is_there(word: str) -> None:
    assert any(f"`{word}`" in row[0] for row in rows_of(SEDNA))


@pytest.mark.parametrize(("page", "anchor"), found(r"\]\(#([\w-]+)\)"))
def test_what_it_points_at_in_itself_is_there(page: str, anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT[page], flags=re.MULTILINE)
    assert anchor in [re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings]


@pytest.mark.parametrize(
    ("page", "command"), found(r"`backhaul ((?:analyze|models|fleet|node) \w+|[\w-]+)")
)
def test_every_command_exists(page: str, command: str) -> None:
    known = typer.main.get_command(app)
    for word in command.split():
        if isinstance(known, LazyGroup):
            known = load(word, known.entries[word])
        else:
            known = getattr(known, "commands")[word]  # noqa: B009 - of a group that Typer made
