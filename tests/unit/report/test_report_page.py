"""The page as a browser would get it.

Known defects of this area: 28 and 34 have tests here; the page computes no confidences or
matches of its own, so those of sampling, fusion and matching cannot occur.
"""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from backhaul.report import write_report
from backhaul.report.campaign import imported_campaign
from tests.unit.conftest import FakeRun

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """The page's text, tags, ids and scripts; fails on tags that are not closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source.replace(get_plotlyjs(), ""))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        elif data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join(self.words)

    @property
    def figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads(self.scripts[0])
        return figures

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def write(folder: Path) -> Path:
    return Path(write_report(imported_campaign(folder)))


def page_of(fake: Any) -> Page:
    return Page(write(fake.write()))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a run of which all went well."""
    return page_of(FakeRun(tmp_path_factory.mktemp("page") / "runs/street-cameras"))


@pytest.fixture(scope="module")
def page_with_a_failure(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a run of which one method failed."""
    folder = tmp_path_factory.mktemp("failed") / "runs/street-cameras"
    return page_of(FakeRun(folder, failed="iqr"))


def test_page_has_every_part_in_order(page: Page) -> None:
    titles = [a["id"] for a in page.of("h2")]
    assert titles == [
        f"{part}-title"
        for part in (
            "overview",
            "curves",
            "methods",
            "forgetting",
            "classes",
            "sent",
            "pictures",
            "training",
            "timings",
            "config",
        )
    ]
    assert "iqr has the highest mAP50 on the common test set: 0.450" in page.text
    assert "one seed (7)" in page.text
    assert "max_epochs: 10" in page.text
    assert "0123456789abcdef with uncommitted changes" in page.text
    anchors = {str(a["href"])[1:] for a in page.of("a")}
    assert anchors <= {a.get("id") for _, a in page.tags}


def test_page_needs_nothing_from_outside(page: Page) -> None:
    for _, attributes in page.tags:
        assert "src" not in attributes
        assert str(attributes.get("href", "#")).startswith(("#", "data:"))
    without_plotly = page.source.replace(get_plotlyjs(), "")
    assert len(without_plotly) < len(page.source) - 1_000_000
    assert "http" not in without_plotly
    assert "@import" not in without_plotly
    assert page.source.count(get_plotlyjs()) == 1


def test_names_from_data_stay_text(fake_run: Callable[..., Any]) -> None:
    methods = ("x(+)[y] <img src=q onerror=alert(1)>", "no-new-data")
    page = page_of(fake_run(methods=methods, batches=1))
    assert len(page.of("script")) == 3
    assert page.of("img") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "</script><script>alert('x')</script> & \"q\"" in page.text
    assert "x(+)[y] <img src=q onerror=alert(1)>" in page.text
    names = [trace["name"] for trace in page.figures["curve-images"]["data"]]
    assert names[0] == "x(+)[y] &lt;img src=q onerror=alert(1)&gt;"


def test_figures_are_what_plotly_takes(page_with_a_failure: Page) -> None:
    page = page_with_a_failure
    shown = {a["data-figure"] for a in page.of("div") if "data-figure" in a}
    assert shown == set(page.figures)
    assert len(shown) == 2 + 2 + 1 + 4 * 3 + 2  # the control arm sends nothing to compare
    for figure in page.figures.values():
        go.Figure(figure)


def test_curves_of_every_metric(page: Page) -> None:
    figure = page.figures["curve-bytes"]
    assert len(page.of("option")) == len(figure["layout"]["meta"])
    iqr = next(t for t in figure["data"] if t["name"] == "iqr")
    assert iqr["x"] == [0, 5000, 10000, 15000]
    assert iqr["y"] == pytest.approx([0.3, 0.35, 0.40, 0.45])
    other = figure["layout"]["meta"]["mAP50-95"]
    values = other["y"][figure["data"].index(iqr)]
    assert values == pytest.approx([0.15, 0.175, 0.2, 0.225])
    assert "fill" not in str(figure["data"])  # one seed has no intervals
    for change in figure["layout"]["meta"].values():
        for key, values in change.items():
            assert [len(v) for v in values] == [len(t[key]) for t in figure["data"]]


def test_losses_mark_each_retraining(fake_run: Callable[..., Any]) -> None:
    page = page_of(fake_run(methods=("iqr",), batches=2))
    figure = next(f for key, f in page.figures.items() if key.endswith("loss"))
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [10.5, 20.5]
    assert figure["data"][0]["x"].count(None) == 2
    assert [t["name"] for t in figure["data"]] == ["train", "valid"]


def test_histograms_count_all_detections(fake_run: Callable[..., Any]) -> None:
    fake = fake_run(methods=("iqr",), batches=1)
    page = page_of(fake)
    seen = pd.read_csv(next((fake.folder / "output").glob("iqr0_benchmark*.csv")))
    detected = seen[seen["detected"].notna()]
    hits = next(f for key, f in page.figures.items() if key.endswith("hits"))
    counted = {t["name"]: sum(t["y"]) for t in hits["data"]}
    assert counted == {"hit": detected["hit"].sum(), "miss": (~detected["hit"]).sum()}
    sent = page.figures["method-5-sent"]
    assert [round(sum(t["y"])) for t in sent["data"]] == [100, 100]


def test_each_picture_is_stored_once_and_shown_with_boxes(fake_run: Callable[..., Any]) -> None:
    page = page_of(fake_run(batches=1, pool=6, sent=3))
    stored = [str(a["id"]) for a in page.of("image")]
    used = [str(a["href"])[1:] for a in page.of("use")]
    assert len(stored) == len(set(stored)) == 6
    assert len(used) == 3 * (6 + 3)  # the control arm has no pictures
    assert set(used) == set(stored)
    assert len(page.of("rect")) > len(used) // 2
    assert "class <cat>" in page.text


def test_pictures_that_are_gone_leave_a_placeholder(fake_run: Callable[..., Any]) -> None:
    fake = fake_run(batches=1)
    fake.write()
    for path in (fake.folder / "images <i>").iterdir():
        path.unlink()
    page = Page(write(fake.folder))
    assert page.of("image") == []
    assert page.text.count("no picture") == 3 * 8


def test_defect_28_a_failed_method_is_shown(page_with_a_failure: Page) -> None:
    page = page_with_a_failure
    assert "completed with failures" in page.text
    assert "iqr: failed" in page.text
    assert "InputError: labels/a<b>.txt:3: expected 5 numbers" in page.text
    assert "median-below-thresh has the highest" in page.text


def test_defect_34_a_page_without_any_detection(fake_run: Callable[..., Any]) -> None:
    fake = fake_run(batches=1)
    fake.write()
    for path in (fake.folder / "output").glob("*benchmark*"):
        path.write_text(path.read_text().split("\n")[0] + "\n")
    page = Page(write(fake.folder))
    assert "There are no detections." in page.text
    assert len(page.of("use")) == 3 * (8 + 5)


def test_only_the_initial_model(fake_run: Callable[..., Any]) -> None:
    page = page_of(fake_run(methods=(), batches=0))
    assert "No method has finished a batch. The initial model reaches" in page.text
    assert page.figures == {}


def test_nothing_sent(fake_run: Callable[..., Any]) -> None:
    page = page_of(fake_run(sent=0, batches=1))
    assert "It sent 0 images, 0 B." in page.text
    assert page.text.count("Nothing was sent.") == 3 + 2


def test_no_truth(fake_run: Callable[..., Any]) -> None:
    page = page_of(fake_run(truth=False, batches=1, methods=("iqr",)))
    hits = next(f for key, f in page.figures.items() if key.endswith("hits"))
    assert [t["name"] for t in hits["data"]] == ["no truth"]
    assert "objects missed" not in page.text


def test_all_map_null(fake_run: Callable[..., Any]) -> None:
    fake = fake_run(batches=1)
    fake.write()
    for name in ("summary.csv", "classes.csv"):
        table = pd.read_csv(fake.folder / name)
        table[["mAP50", "mAP50-95"]] = None
        table.to_csv(fake.folder / name, index=False)
    page = Page(write(fake.folder))
    assert "there is nothing to rank" in page.text
    assert set(page.figures["curve-images"]["data"][0]["y"]) == {None}


def test_a_young_run(fake_run: Callable[..., Any]) -> None:
    fake = fake_run()
    fake.folder.mkdir(parents=True)
    record = fake.record() | {"state": "running", "trainings": [], "timings": []}
    record["methods"]["iqr"] = {"state": "waiting", "error": None}
    (fake.folder / "run.json").write_text(json.dumps(record))
    page = Page(write(fake.folder))
    assert "Nothing has been evaluated" in page.text
    assert "iqr: waiting" in page.text


def test_a_long_campaign_stays_small(fake_run: Callable[..., Any]) -> None:
    methods = tuple(f"method-{c}" for c in "abcdefghijkl")
    fake = fake_run(methods=methods, batches=4, pool=30, size_px=(240, 240), noise=True)
    path = write(fake.write())
    assert path.stat().st_size < 8_000_000


def test_writing_again_replaces_the_page_and_its_table_alone(
    fake_run: Callable[..., Any],
) -> None:
    fake = fake_run(methods=("iqr",), batches=1)
    before = set(fake.write().rglob("*"))
    first = write(fake.folder)
    text = first.read_text(encoding="utf-8")
    assert write(fake.folder).read_text(encoding="utf-8") == text
    assert set(fake.folder.rglob("*")) - before == {
        fake.folder / name for name in ("report.html", "sent.csv")
    }
