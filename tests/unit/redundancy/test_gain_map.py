"""What a gain map says between its points, beyond them, and of a file that is none."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.csvrows import rows_as_csv
from backhaul.errors import InputError
from backhaul.redundancy.gainmap import (
    PLACE,
    Expected,
    GainMap,
    Point,
    read_gain_map,
)

REDUNDANCY = {
    (1, 0.0): 0.0,
    (1, 0.4): 0.2,
    (4, 0.0): 0.4,
    (4, 0.4): 0.6,
    (16, 0.0): 0.8,
    (16, 0.4): 0.9,
}


def point(level: int, empty: float, **changes: Any) -> Point:
    gain = 0.01 * level + 0.1 * empty
    values = {
        "study": "s",
        "set": f"most{level}",
        "arm": "diverse",
        "level": level,
        "empty": empty,
        "redundancy": REDUNDANCY[level, empty],
        "gain": gain,
        "low": gain - 0.02,
        "high": gain + 0.03,
        "seeds": 3,
        "rows": "d",
    }
    return Point.model_validate(values | changes)


def points() -> list[Point]:
    return [point(level, empty) for level, empty in REDUNDANCY]


def test_measured_points_are_kept() -> None:
    gains = GainMap(points()[::-1])
    for each in points():
        found = gains.at(each.redundancy, each.empty)
        assert found is not None
        assert (found.gain, found.low, found.high) == pytest.approx(
            (each.gain, each.low, each.high)
        )


def test_between_points_it_is_bilinear() -> None:
    # at .2 empty, levels 1 and 4 lie at redundancies .1 and .5, and gain .03 and .06
    found = GainMap(points()).at(0.2, 0.2)
    assert found is not None
    assert found.gain == pytest.approx(0.03 + (0.06 - 0.03) / 4)
    assert found.low == pytest.approx(found.gain - 0.02)
    assert found.high == pytest.approx(found.gain + 0.03)


@pytest.mark.parametrize(("redundancy", "empty"), [(0.05, 0.2), (0.9, 0.2), (0.5, 0.41)])
def test_beyond_what_was_measured_nothing_is_said(redundancy: float, empty: float) -> None:
    gains = GainMap(points())
    assert gains.at(redundancy, empty) is None
    assert gains.within(0.2) == pytest.approx((0.1, 0.85))


@given(redundancy=st.floats(0, 1), empty=st.floats(0, 1))
def test_what_is_said_lies_among_the_points(redundancy: float, empty: float) -> None:
    gains = GainMap(points())
    found = gains.at(redundancy, empty)
    least, most = gains.within(empty)
    assert (found is not None) == (empty <= 0.4 and least <= redundancy <= most)
    if found is not None:
        assert 0.01 - 1e-9 <= found.gain <= 0.2 + 1e-9
        assert found.low < found.gain < found.high


def test_without_an_empty_share_each_column_says_its_own() -> None:
    gains = GainMap(points())
    assert len(gains.at_any_empty(0.5)) == 2
    assert gains.at_any_empty(0.1) == (gains.at(0.1, 0.0),)
    assert gains.at_any_empty(0.95) == ()


def test_a_map_survives_its_file(tmp_path: Path) -> None:
    place = tmp_path / "map.csv"
    place.write_text(rows_as_csv(Point, points()))
    read = read_gain_map(place)
    assert read is not None
    assert read.points == tuple(points())
    assert read.at(0.4, 0.0) == Expected(0.04, 0.02, 0.07)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", r"map.csv:1: expected the columns study, set"),
        (rows_as_csv(Point, points()).replace("0.9", "x", 1), r"map.csv:\d: \w+: "),
        (rows_as_csv(Point, points()[:1]) + "x" * 200_000, r"map.csv:\d: field larger than"),
        (
            rows_as_csv(Point, points()[:1]).replace(",d\n", ",d,e\n"),
            "map.csv:2: too many values: ",
        ),
        (rows_as_csv(Point, points()[:-1]), "expected one point for each level"),
        (rows_as_csv(Point, points()[::2]), "expected one point for each level"),
        (
            rows_as_csv(Point, [*points()[:-1], point(16, 0.4, redundancy=0.5)]),
            "redundancy: expected more of it at each higher level",
        ),
    ],
)
def test_a_file_that_is_no_map_is_named(tmp_path: Path, text: str, told: str) -> None:
    place = tmp_path / "map.csv"
    place.write_text(text)
    with pytest.raises(InputError, match=told):
        read_gain_map(place)


def test_a_map_of_ones_own_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"map\.csv"):
        read_gain_map(tmp_path / "map.csv")


def test_the_map_of_the_package_is_one_if_there_is_one() -> None:
    found = read_gain_map()
    assert (found is None) == (not PLACE.exists())
    if found is not None:
        assert all(each.seeds >= 2 and each.rows for each in found.points)
