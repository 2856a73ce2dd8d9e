"""The page in a browser: what it draws, what it asks for, and whether it fits the screen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, sync_playwright

from backhaul.node.fleetplay import Outcome
from backhaul.node.fleetsettings import FleetConfig
from backhaul.report import write_report
from backhaul.report.campaign import imported_campaign
from backhaul.report.fleetpage import write_fleet_page
from tests.e2e.chromium import chromium
from tests.unit.conftest import FakeRun, write_findings

pytestmark = pytest.mark.browser

Theme: TypeAlias = Literal["light", "dark"]

WIDTHS = {"phone": 390, "desk": 1280}
KINDS = ("one seed", "three seeds", "findings")
PATIENCE_MS = 15_000


@dataclass
class Seen:
    """A page that was opened, and what the browser had to say of it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda said: self._keep(said.type, said.text))
        self.page.on("pageerror", lambda error: self._keep("error", str(error)))
        self.page.on("requestfailed", lambda failed: self._keep("error", failed.url))
        self.page.on("request", lambda asked: self.requests.append(asked.url))

    def _keep(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def colour(self) -> Any:
        return self.page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of a run, of three seeds, of one with findings, and of a simulated fleet."""
    runs = tmp_path_factory.mktemp("browser") / "runs"
    one, three, found = FakeRun(runs / "one"), FakeRun(runs / "three"), FakeRun(runs / "found")
    several = FakeRun(three.folder, seeds=(0, 1, 2))
    for run in (one, several, found):
        run.write()
    for seed in several.seeds:
        write_report(imported_campaign(several.folder / f"seed{seed}"))
    write_findings(found.folder)
    (found.folder / "analysis" / "broken.json").write_text('{"name": 3}')
    day = Outcome(
        "stream", {"seen": 9}, np.arange(1.0, 4), np.ones(3), np.full(3, 2.0), 3, 0, 0, 0
    )
    fleet = FleetConfig(name="fleet", frames="frames", model="model.onnx")
    (runs / "fleet").mkdir()
    runs_of = (imported_campaign(run.folder) for run in (one, several, found))
    written = (Path(write_report(run)) for run in runs_of)
    simulated = write_fleet_page(fleet, [day], runs / "fleet")
    return dict(zip((*KINDS, "fleet"), (*written, simulated), strict=True))


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
    yield started
    started.close()


@pytest.fixture
def visit(browser: Browser, pages: dict[str, Path]) -> Iterator[Callable[..., Seen]]:
    contexts = []

    def open_page(kind: str, width: str = "desk") -> Seen:
        context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900})
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.set_default_timeout(PATIENCE_MS)
        seen.listen()
        seen.page.goto(pages[kind].as_uri())
        wait_until_drawn(seen.page)
        return seen

    yield open_page
    for context in contexts:
        context.close()


def wait_until_drawn(page: Page) -> None:
    page.wait_for_function(
        "[...document.querySelectorAll('.plot')].every(p => p.querySelector('.modebar'))"
    )


FIGURES = """() => [...document.querySelectorAll('.plot')].map(plot => ({
  name: plot.dataset.figure,
  width: plot.getBoundingClientRect().width,
  height: plot.getBoundingClientRect().height,
  drawn: plot.querySelectorAll('.cartesianlayer .trace path').length,
  ink: plot.layout.font.color,
}))"""
TABLES = """() => [...document.querySelectorAll('table')].map(table => ({
  rows: table.tBodies[0].rows.length,
  blank: [...table.querySelectorAll('th, td')].filter(c => !c.innerText.trim()).length,
}))"""
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true })"
ROOM = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
THEMES: tuple[tuple[Theme, str, str], ...] = (
    ("light", "rgb(255, 255, 255)", "rgb(27, 35, 48)"),
    ("dark", "rgb(18, 22, 29)", "rgb(228, 232, 239)"),
)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_fleet_is_whole(visit: Callable[..., Seen], width: str) -> None:
    seen = visit("fleet", width)
    for theme, paper, ink in THEMES:
        seen.page.emulate_media(color_scheme=theme)
        seen.page.wait_for_function(
            "ink => document.querySelector('.plot').layout.font.color === ink", arg=ink
        )
        assert seen.colour() == paper
        [figure] = seen.page.evaluate(FIGURES)
        assert figure["drawn"] > 0
        needed, there = seen.page.evaluate(ROOM)
        assert needed <= there, theme
    assert not seen.complaints


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_whole(visit: Callable[..., Seen], kind: str, width: str) -> None:
    seen = visit(kind, width)
    seen.page.evaluate(OPEN_ALL)
    for theme, paper, ink in THEMES:
        seen.page.emulate_media(color_scheme=theme)
        seen.page.wait_for_function(
            "ink => [...document.querySelectorAll('.plot')]"
            ".every(plot => plot.layout.font.color === ink)",
            arg=ink,
        )
        assert seen.colour() == paper
        figures = seen.page.evaluate(FIGURES)
        assert len(figures) > 10
        for figure in figures:
            assert figure["drawn"] > 0, figure
            assert min(figure["width"], figure["height"]) > 100, figure
        needed, there = seen.page.evaluate(ROOM)
        assert needed <= there, theme
    for table in seen.page.evaluate(TABLES):
        assert table["rows"] > 0
        assert table["blank"] == 0
    assert seen.complaints == []
    assert {url.split(":")[0] for url in seen.requests} <= {"file", "data"}
    assert len([url for url in seen.requests if url.startswith("file:")]) == 1


def curve(seen: Seen) -> Locator:
    return seen.page.locator("[data-figure=curve-images]")


def visible(plot: Locator, name: str) -> list[bool]:
    """Return of each trace of a method whether it is shown: its band first, then its line."""
    shown: list[bool] = plot.evaluate(
        "(p, n) => p.data.filter(t => t.legendgroup === n)"
        ".map(t => (t.visible ?? true) === true)",
        name,
    )
    return shown


def test_the_legend_hides_a_line_with_its_band(visit: Callable[..., Seen]) -> None:
    seen = visit("three seeds")
    plot = curve(seen)
    traces, areas = plot.locator(".scatterlayer .trace"), plot.locator(".scatterlayer .js-fill")
    assert visible(plot, "iqr") == [True, True]
    before = traces.count(), areas.count()
    plot.locator(".legend .traces", has_text="iqr").locator(".legendtoggle").click()
    seen.page.wait_for_function(
        "document.querySelector('[data-figure=curve-images]')"
        ".data.some(t => t.visible === 'legendonly')"
    )
    assert visible(plot, "iqr") == [False, False]
    assert visible(plot, "true-random") == [True, True]
    assert (traces.count(), areas.count()) == (before[0] - 2, before[1] - 1)


def test_a_metric_brings_its_own_bands(visit: Callable[..., Seen]) -> None:
    seen = visit("three seeds")
    plot = curve(seen)
    read = "p => p.data.filter(t => t.legendgroup === 'iqr').map(t => t.y)"
    of_map = plot.evaluate(read)
    seen.page.select_option("#metric", "mAP50-95")
    band, line = plot.evaluate(read)
    assert line == pytest.approx([value / 2 for value in of_map[1]])
    assert band == pytest.approx([value / 2 for value in of_map[0]])


def test_the_button_changes_the_theme_of_page_and_figures(visit: Callable[..., Seen]) -> None:
    seen = visit("findings")
    read = "p => p.layout.font.color"
    before = seen.colour(), curve(seen).evaluate(read)
    seen.page.click("#theme")
    after = seen.colour(), curve(seen).evaluate(read)
    assert before[0] != after[0]
    assert before[1] != after[1]
    bars = seen.page.locator("[data-figure=finding-sizes-0]")
    whiskers = "p => p.data.find(t => t.error_y).error_y.color"
    assert bars.evaluate(whiskers) == after[1]
    assert seen.complaints == []


def test_every_anchor_is_reached_on_a_phone(visit: Callable[..., Seen]) -> None:
    seen = visit("findings", "phone")
    seen.page.add_style_tag(content="html { scroll-behavior: auto !important }")
    for link in seen.page.locator("nav a").all():
        link.click()
        target = seen.page.locator(str(link.get_attribute("href")))
        box = target.bounding_box()
        assert box is not None
        assert -1 <= box["y"] < 900


def test_a_page_of_seeds_leads_to_theirs(visit: Callable[..., Seen]) -> None:
    seen = visit("three seeds")
    seen.page.get_by_role("link", name="seed 1").click()
    wait_until_drawn(seen.page)
    assert seen.page.locator("h1").inner_text().startswith("three/seed1")
    assert seen.complaints == []


def test_a_long_table_is_folded_and_a_broken_finding_is_told(
    visit: Callable[..., Seen],
) -> None:
    seen = visit("findings", "phone")
    table = seen.page.get_by_role("region", name="analysis/compare_map50.csv")
    assert not table.is_visible()
    seen.page.get_by_text("Table of 40 rows").click()
    assert table.is_visible()
    assert table.locator("tbody tr").count() == 40
    assert "analysis/broken.json: name: Input should be a valid string" in (
        seen.page.locator("#analysis .trouble").inner_text()
    )
