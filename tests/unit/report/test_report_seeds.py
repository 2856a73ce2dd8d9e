"""The page of several seeds: means, bands, and the way to the page of each."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from backhaul.cli.tables import print_gains
from backhaul.report import write_report
from backhaul.report.campaign import imported_campaign
from backhaul.report.plot import band
from tests.unit.conftest import FakeRun

SEEDS = (0, 1, 2)


def several(folder: Path) -> FakeRun:
    methods = ("true-random", "iqr", "no-new-data")
    fake = FakeRun(folder, methods=methods, batches=2, pool=6, sent=3, seeds=SEEDS)
    fake.write()
    return fake


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """A campaign of several seeds, which no test changes."""
    return several(tmp_path_factory.mktemp("seeds") / "runs/street-cameras")


@pytest.fixture(scope="module")
def page(played: FakeRun) -> str:
    """Its page, where one seed has a page of its own."""
    write(played.folder / "seed1")
    return page_of(played)


@pytest.fixture
def changing(tmp_path: Path) -> FakeRun:
    """Such a campaign for one test."""
    return several(tmp_path / "runs/street-cameras")


def figures(page: str) -> Any:
    start = page.index(">", page.index('id="figures"')) + 1
    return json.loads(page[start : page.index("</script>", start)])


def write(folder: Path) -> Path:
    return Path(write_report(imported_campaign(folder)))


def page_of(fake: FakeRun) -> str:
    return write(fake.folder).read_text(encoding="utf-8").replace("\xa0", " ")


def last_scores(fake: FakeRun, label: str) -> list[float]:
    """The mAP50 after the last batch, seed by seed."""
    campaign = imported_campaign(fake.folder)
    rows = campaign.summary.query("method == @label and test_set == 'common' and batch == 1")
    return [float(value) for value in rows["mAP50"]]


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half width as SciPy has them."""
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
    )
    return float(np.mean(values)), float(high - low) / 2


def test_tables_show_means_with_intervals_and_paired_gains(played: FakeRun, page: str) -> None:
    iqr, control = (last_scores(played, label) for label in ("iqr", "no-new-data"))
    for values, sign in ((iqr, ""), (list(np.subtract(iqr, control)), "+")):
        mean, half_width = interval(values)
        assert f">{mean:{sign}.3f} ± {half_width:.3f}<" in page
    assert "Means over 3 seeds (0, 1, 2)" in page
    assert "95 % t-interval" in page


def test_bands_have_the_colour_and_the_group_of_their_line(played: FakeRun, page: str) -> None:
    data = figures(page)["curve-bytes"]["data"]
    pair = [trace for trace in data if trace.get("legendgroup") == "iqr"]
    area, line = pair
    mean, half_width = interval(last_scores(played, "iqr"))
    assert line["y"][-1] == pytest.approx(mean)
    assert area["fill"] == "toself"
    assert area["showlegend"] is False
    assert (area["y"][2], area["y"][3]) == pytest.approx((mean - half_width, mean + half_width))
    assert area["x"] == line["x"] + line["x"][::-1]
    red, green, blue = (int(line["line"]["color"][i : i + 2], 16) for i in (1, 3, 5))
    assert area["fillcolor"].startswith(f"rgba({red},{green},{blue},0.")


def test_the_page_leads_to_those_seeds_that_have_one(played: FakeRun, page: str) -> None:
    assert '<a href="seed1/report.html">seed 1</a> (completed)' in page
    assert 'href="seed0' not in page
    assert not (played.folder / "run.json").exists()


def test_what_is_of_the_first_seed_alone_is_told(page: str) -> None:
    assert "These are of seed 0;" in page
    assert "The losses are those of seed 0" in page
    assert "seeds:\n- 0\n- 1\n- 2" in page


def test_trouble_of_one_seed_is_that_of_the_campaign(changing: FakeRun) -> None:
    path = changing.folder / "seed2" / "run.json"
    record = json.loads(path.read_text())
    record["state"] = "completed-with-failures"
    record["methods"]["iqr"] = {"state": "failed", "error": "InputError: no"}
    path.write_text(json.dumps(record))
    page = page_of(changing)
    assert "seed 2: iqr: failed" in page
    assert "completed with failures" in page


def test_a_seed_that_has_only_begun_is_left_out_of_the_means(changing: FakeRun) -> None:
    fresh = changing.of_seed(3)
    fresh.folder.mkdir()
    (fresh.folder / "run.json").write_text(json.dumps(fresh.record() | {"state": "running"}))
    page = page_of(changing)
    mean, half_width = interval(last_scores(changing, "iqr"))
    assert f">{mean:.3f} ± {half_width:.3f}<" in page
    assert ">running</span>" in page


def test_two_seeds_are_enough_for_a_band(fake_run: Callable[..., Any]) -> None:
    fake = fake_run(methods=("iqr",), batches=1, seeds=(4, 5))
    fake.write()
    page = page_of(fake)
    assert "With two seeds, intervals are very wide." in page
    assert any("fill" in trace for trace in figures(page)["curve-images"]["data"])


def test_the_terminal_shows_means_with_intervals(played: FakeRun) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    print_gains(console, imported_campaign(played.folder))
    told = console.export_text()
    mean, half_width = interval(last_scores(played, "iqr"))
    assert f"{mean:.3f} ±{half_width:.3f}" in told
    assert "means over 3 seeds" in told


def test_a_band_ends_where_an_edge_is_missing() -> None:
    nan = np.nan
    low, high = np.array([0.0, 1, nan, 3, 4]), np.array([1.0, 2, 3, 4, 5])
    assert band([0, 1, 2, 3, 4], low, high) == {
        "x": [0, 1, 1, 0, None, 3, 4, 4, 3],
        "y": [0, 1, 2, 1, None, 3, 4, 5, 4],
    }
    assert band([0], np.array([nan]), np.array([nan])) == {"x": [], "y": []}
