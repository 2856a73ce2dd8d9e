"""What the page says of a run's models: versions, decisions, cards; escaped and linked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backhaul.campaign.labelled import LABELLED, LabelledImage, LabelledRound
from backhaul.labellayout import labelled_place
from backhaul.layout import RunFiles
from backhaul.registry.log import Entry
from backhaul.registrylayout import card_page
from backhaul.report.again import make_view
from backhaul.report.campaign import stored_campaign
from backhaul.report.cells import Cell, Table, in_markdown
from backhaul.report.models import MOST_ENTRIES, gain_figure, timeline_table, versions_table
from tests.versions import registered, unpacked_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    run = unpacked_run(tmp_path_factory.mktemp("models"))
    registered(run)
    return run


def test_the_page_tells_every_decision_and_leads_to_all_cards(run: RunFiles) -> None:
    page = Path(make_view(run)).read_text()
    assert '<a href="#models">Models</a>' in page
    assert "asks for approval" in page
    assert "&lt;b&gt;gain&lt;/b&gt; 0.010" in page
    assert "<b>gain</b>" not in page
    for version in (1, 2, 3):
        assert f'href="models/{version}.html"' in page
        card = Path(card_page(run.view, version)).read_text()
        assert f"finished@{version}" in card
        assert re.findall('href="([^d].*?)"', card) == ["../report.html#models"]
    second = Path(card_page(run.view, 2)).read_text()
    assert "expected above 0.04" in second
    assert "version 1" in second
    assert "&lt;b&gt;gain&lt;/b&gt;" in second


def test_what_was_rejected_is_hollow_in_the_figure(run: RunFiles) -> None:
    models = stored_campaign(run).models
    assert models is not None
    figure = gain_figure(models)
    assert figure is not None
    [points] = figure["data"]
    assert points["marker"]["symbol"] == ["circle", "circle-open", "circle"]
    assert points["y"] == [0.5, 0.6, 0.6]
    assert points["x"][0] == 0
    assert points["x"][1] > 0


def test_labour_bytes_and_gain_are_in_one_figure(tmp_path: Path) -> None:
    run = unpacked_run(tmp_path)
    registered(run)
    for batch, seconds in ((0, 1_800.0), (1, 5_400.0)):
        image = LabelledImage(image_id="a", node="n", name="a", source="x", seconds=seconds)
        record = LabelledRound(method="iqr", batch=batch, images=(image,))
        LABELLED.write(labelled_place(run, f"iqr{batch}"), record)
    models = stored_campaign(run).models
    assert models is not None
    figure = gain_figure(models)
    assert figure is not None
    reached, labour = figure["data"]
    assert labour["y"] == [0.0, 0.5, 2.0]
    assert labour["x"] == reached["x"]
    labels = versions_table(models).head.index("labelling")
    assert [row[labels].text for row in versions_table(models).rows] == [
        *("2 h 0 min", "30 min 0 s", "0 s"),
    ]


def test_a_long_log_is_shown_from_its_end(run: RunFiles) -> None:
    models = stored_campaign(run).models
    assert models is not None
    many = tuple(Entry(kind="triggered", reason=str(n)) for n in range(2 * MOST_ENTRIES))
    rows = timeline_table(type(models)(models.cards, many, models.history)).rows
    assert [row[4].text for row in rows[:2]] == [str(2 * MOST_ENTRIES - k) for k in (1, 2)]
    assert len(rows) == MOST_ENTRIES
    assert [row[0].text for row in versions_table(models).rows] == ["3", "2", "1"]


def test_a_run_without_versions_has_no_section(tmp_path: Path) -> None:
    run = unpacked_run(tmp_path)
    assert "#models" not in Path(make_view(run)).read_text()
    assert not Path(run.view.folder, "models").exists()


def test_in_markdown_nothing_is_markup() -> None:
    table = Table(("a", "b"), ((Cell("x|y"), Cell("<i>*z*\n[q](r)")),))
    assert in_markdown(table) == [
        "| a | b |",
        "| --- | --- |",
        r"| x\|y | &lt;i&gt;\*z\* \[q\](r) |",
    ]
