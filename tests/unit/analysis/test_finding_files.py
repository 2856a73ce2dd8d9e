"""Findings as files: what is written can be read again, and pictures show what they say."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backhaul.analysis.png import PALETTE, draw
from backhaul.analysis.writing import write_beside, write_finding
from backhaul.campaign.finding import (
    Chart,
    Finding,
    Mark,
    Series,
    cells,
    values,
)
from backhaul.campaign.importing import import_findings
from backhaul.errors import InputError
from backhaul.layout import View


def chart(*series: Series, marks: tuple[Mark, ...] = ()) -> Chart:
    return Chart(title="loss", x_title="epoch", y_title="loss", series=series, marks=marks)


def finding(*charts: Chart, rows: tuple[tuple[float | None, ...], ...] = ((1.5,),)) -> Finding:
    return Finding(name="some_finding", title="A", columns=("a",), rows=rows, charts=charts)


def pixels(picture: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def share_of(picture: bytes, colour: str) -> float:
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((pixels(picture) == rgb).all(axis=2).mean())


def write(folder: Path, written: Finding) -> list[Path]:
    return [Path(file) for file in write_finding(View(folder.as_posix()), written)]


LINE = Series(name="a", x=(1, 2, 3), y=(1, None, 2))


def test_files_hold_the_finding(tmp_path: Path) -> None:
    written = finding(chart(LINE), rows=((0.25,), (None,)))
    files = write(tmp_path, written)
    assert [f.relative_to(tmp_path).as_posix() for f in files] == [
        "analysis/some_finding.json",
        "analysis/some_finding.csv",
        "analysis/some_finding.png",
    ]
    assert import_findings(tmp_path) == {"some_finding": written}
    table = pd.read_csv(files[1])
    assert table["a"].isna().tolist() == [False, True]
    assert table["a"][0] == 0.25
    assert sorted(p.name for p in (tmp_path / "analysis").iterdir()) == sorted(
        f.name for f in files
    )


def test_a_later_finding_replaces_the_earlier_one(tmp_path: Path) -> None:
    write(tmp_path, finding(chart(LINE)))
    files = write(tmp_path, finding(rows=((7,),)))
    assert [f.suffix for f in files] == [".json", ".csv"]
    assert not (tmp_path / "analysis/some_finding.png").exists()
    (again,) = import_findings(tmp_path).values()
    assert isinstance(again, Finding)
    assert again.rows == ((7,),)


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "analysis").write_text("a file")
    with pytest.raises(InputError, match=r"some_finding\.json: could not be written"):
        write(tmp_path, finding())
    assert [path.name for path in tmp_path.iterdir()] == ["analysis"]


@pytest.mark.parametrize("name", ["some_finding.csv", "some_finding.png"])
def test_files_of_the_user_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine\n1\n")
    with pytest.raises(InputError, match="is another file"):
        write_beside(tmp_path / "bench.csv", finding(chart(LINE)))
    assert (tmp_path / name).read_text() == "mine\n1\n"


def test_an_earlier_table_of_the_same_kind_is_replaced(tmp_path: Path) -> None:
    for number in (1.0, 2.0):
        write_beside(tmp_path / "bench.csv", finding(chart(LINE), rows=((number,),)))
    assert pd.read_csv(tmp_path / "some_finding.csv")["a"].tolist() == [2.0]


def test_charts_lie_below_each_other() -> None:
    one, two = (
        pixels(draw(finding(chart(LINE)))),
        pixels(draw(finding(chart(LINE), chart(LINE)))),
    )
    assert two.shape[0] == 2 * one.shape[0]
    assert two.shape[1] == one.shape[1]


def test_without_charts_there_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no charts"):
        draw(finding())


def test_bars_stand_side_by_side() -> None:
    """None covers another: each colour fills as much as its bar is high."""
    bars = [Series(name=str(i), x=("a",), y=(1.0 + i,), kind="bars") for i in range(2)]
    picture = draw(finding(chart(*bars)))
    shares = [share_of(picture, colour) for colour in PALETTE[:2]]
    assert shares[0] > 0.1
    assert shares[1] / shares[0] == pytest.approx(2, rel=0.05)


def test_bars_of_numbers_stand_at_their_places() -> None:
    """Histogram bars are as wide as their bins allow, so that they do not cover each other."""
    x = (0.05, 0.15, 0.25)
    bars = [Series(name=str(i), x=x, y=(1, 1, 1), kind="bars") for i in range(2)]
    shares = [share_of(draw(finding(chart(*bars))), colour) for colour in PALETTE[:2]]
    assert shares[0] == pytest.approx(shares[1], rel=0.1)
    assert shares[0] > 0.2


def test_a_gap_is_left_where_a_value_is_missing() -> None:
    whole = Series(name="a", x=tuple(range(100)), y=tuple([1.0] * 100))
    cut = Series(name="a", x=tuple(range(100)), y=(*[1.0] * 20, *[None] * 60, *[1.0] * 20))
    colour = PALETTE[0]
    drawn = [share_of(draw(finding(chart(series))), colour) for series in (whole, cut)]
    assert drawn[1] / drawn[0] == pytest.approx(0.4, abs=0.05)


def test_names_are_drawn_as_they_are() -> None:
    """No formula, no name that the legend hides, and no failure on a script without a font."""
    names = ("$x^{", "_hidden", "类")
    series = [Series(name=n, x=(1, 2), y=(1, 2), kind="points", labels=(n, "")) for n in names]
    written = chart(*series, marks=(Mark(x=1.5, label="$5"),))
    draw(finding(written))
    draw(finding(chart(*(s.model_copy(update={"x": ("$a", "b")}) for s in series))))


def test_bands_and_bars_of_error_are_drawn() -> None:
    band = {"low": (0.5, 0.5), "high": (3.0, 3.0)}
    for kind in ("line", "points", "bars"):
        plain = Series(name="a", x=(1, 2), y=(1, 2), kind=kind)
        first = draw(finding(chart(plain)))
        assert draw(finding(chart(plain.model_copy(update=band)))) != first


def test_values_that_no_chart_can_draw_are_gaps() -> None:
    assert values([1, float("nan"), float("inf"), None, pd.NA]) == (1.0, None, None, None, None)
    draw(finding(chart(Series(name="a", x=(1, 2), y=(None, None)))))


def test_cells_are_plain() -> None:
    table = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": ["x", None]})
    assert cells(table) == ((1, "x"), (None, None))
