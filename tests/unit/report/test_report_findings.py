"""Findings on the page, against what they say."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from backhaul.campaign.finding import Chart, Finding, Mark, Series
from backhaul.campaign.importing import import_findings
from backhaul.report import write_report
from backhaul.report.campaign import imported_campaign
from backhaul.report.findings import MOST_ROWS, chart_figure, finding_table, show_findings

COLOURS = {"iqr": "#3b7dd8"}


def chart(*series: Series, marks: tuple[Mark, ...] = ()) -> Any:
    figure = chart_figure(
        Chart(title="t", x_title="x", y_title="y", series=series, marks=marks), COLOURS
    )
    go.Figure(figure)  # raises where plotly knows a name not
    return figure


def write(folder: Path, name: str, **changes: Any) -> None:
    finding = Finding(name=name, title=f"About {name}", columns=("a",), rows=((1,),))
    path = folder / "analysis" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(finding.model_copy(update=changes).model_dump_json())


def test_a_line_brings_its_band_which_lies_below_all_lines() -> None:
    plain = Series(name="other", x=(0, 1), y=(0.1, 0.2))
    banded = Series(name="iqr", x=(0, 1), y=(0.1, 0.2), low=(0, 0.1), high=(0.2, 0.3))
    area, first, second = chart(plain, banded)["data"]
    assert area["fill"] == "toself"
    assert area["legendgroup"] == second["legendgroup"] != first["legendgroup"]
    assert second["line"]["color"] == COLOURS["iqr"]
    assert first["line"]["color"] not in (COLOURS["iqr"], "")


def test_gaps_and_what_is_not_finite_are_null() -> None:
    (line,) = chart(Series(name="a", x=(0, 1, 2), y=(0.1, None, math.inf)))["data"]
    assert line["y"] == [0.1, None, None]
    json.dumps(line, allow_nan=False)


def test_points_are_labelled() -> None:
    points = Series(name="a", x=(0, 1), y=(1, 2), kind="points", labels=("<b>", ""))
    (trace,) = chart(points)["data"]
    assert trace["mode"] == "markers+text"
    assert trace["text"] == ["&lt;b&gt;", ""]


def test_bars_stand_over_words_and_have_whiskers() -> None:
    bars = Series(
        name="a", x=("one", "two"), y=(1, 2), kind="bars", low=(0.5, None), high=(2, None)
    )
    figure = chart(bars, Series(name="b", x=("two", 3), y=(1, 1), kind="bars"))
    assert figure["layout"]["xaxis"]["categoryarray"] == ["one", "two", "3.0"]
    whiskers = figure["data"][0]["error_y"]
    assert (whiskers["array"], whiskers["arrayminus"]) == ([1, None], [0.5, None])


def test_marks_are_lines_with_words() -> None:
    line = Series(name="a", x=(0, 1), y=(0, 1))
    layout = chart(line, marks=(Mark(x=0.5, label="batch 1"), Mark(x=1)))["layout"]
    assert [shape["x0"] for shape in layout["shapes"]] == [0.5, 1]
    assert [note["text"] for note in layout["annotations"]] == ["batch 1", ""]


def test_a_table_keeps_words_and_numbers_apart() -> None:
    rows = (("x", 1, 0.123456, True, None), ("y", 20_000, math.nan, False, "no"))
    table = finding_table(
        Finding(name="a", title="", columns=("w", "n", "f", "b", "m"), rows=rows)
    )
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["x", "1", "0.1235", "yes", "-"],
        ["y", "20000", "-", "no", "no"],
    ]
    assert [cell.words for cell in table.rows[0]] == [True, False, False, False, True]


def test_long_tables_are_folded_and_very_long_ones_cut(tmp_path: Path) -> None:
    write(tmp_path, "short")
    write(tmp_path, "long", rows=((1,),) * 13)
    write(tmp_path, "longer", rows=((1,),) * (MOST_ROWS + 1))
    shown, _ = show_findings(import_findings(tmp_path), COLOURS, {})
    assert {one.name: one.fold for one in shown} == {
        "short": "",
        "long": "Table of 13 rows",
        "longer": "Table of 501 rows, the first 500 of them",
    }
    assert [len(one.table.rows) for one in shown] == [13, 500, 1]


BAD = {
    "cut": '{"name": "a"',
    "empty": "",
    "other": '{"name": "a"}',
    "uneven": '{"name":"a","title":"t","columns":["a"],"rows":[[1,2]]}',
    "short": '{"name":"a","title":"t","columns":[],"rows":[],"charts":[{"title":"",'
    '"x_title":"","y_title":"","series":[{"name":"s","x":[1,2],"y":[1]}]}]}',
}


def test_findings_that_cannot_be_shown_are_told_and_leave_the_others(tmp_path: Path) -> None:
    write(tmp_path, "good")
    for name, text in BAD.items():
        (tmp_path / "analysis" / f"{name}.json").write_text(text)
    (tmp_path / "analysis" / "folder.json").mkdir()
    figures: dict[str, Any] = {}
    shown, problems = show_findings(import_findings(tmp_path), COLOURS, figures)
    assert [one.name for one in shown] == ["good"]
    assert figures == {}
    told = dict(problem.split(": ", 1) for problem in problems)
    assert set(told) == {f"analysis/{name}.json" for name in (*BAD, "folder")}
    assert told["analysis/other.json"] == "title: Field required"
    assert told["analysis/uneven.json"].startswith("rows: expected 1 cells")
    assert "differ in length" in told["analysis/short.json"]
    assert all("\n" not in problem for problem in problems)


def test_the_page_shows_findings_after_the_pictures(fake_run: Callable[..., Any]) -> None:
    folder = fake_run(methods=("iqr",), batches=1).write()
    without = Path(write_report(imported_campaign(folder))).read_text(encoding="utf-8")
    write(folder, "sizes", note="On <all> images.")
    (folder / "analysis" / "broken.json").write_text("{")
    page = Path(write_report(imported_campaign(folder))).read_text(encoding="utf-8")
    assert "About sizes" in page
    assert "On &lt;all&gt; images." in page
    assert "analysis/broken.json: Invalid JSON" in page
    assert (
        page.index('id="pictures"') < page.index('id="analysis"') < page.index('id="training"')
    )
    assert 'href="#analysis"' in page
    assert 'id="analysis"' not in without
    assert 'href="#analysis"' not in without
