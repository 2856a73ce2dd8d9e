from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backhaul.data.formats import DataReport, detect, read, table
from backhaul.data.formats.files import scan
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

Draw = Callable[..., Path]
HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
GOOD = "a.png,64,48,car,16,12,48,36\n"
EMPTY = "b.png,64,48,,,,,\n"


@pytest.fixture
def root(tmp_path: Path, draw: Draw) -> Path:
    """Three images, of which the last is not named."""
    for seed, name in enumerate("abc"):
        draw(tmp_path / "images" / f"{name}.png", seed=seed)
    write(tmp_path, HEADER + GOOD + EMPTY)
    return tmp_path


def write(root: Path, text: str, name: str = "boxes.csv") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read_rows(root: Path, *rows: str) -> DataReport:
    write(root, HEADER + "".join(rows))
    return read(FolderData(root=root))


def test_a_row_without_a_box_is_no_object_and_no_row_is_no_label(root: Path) -> None:
    report = read(FolderData(root=root))
    assert report.problems == ()
    assert report.images.class_names == ("car",)
    a, b, c = report.images.table["labels"]
    assert a.rows().tolist() == [[0, 0.5, 0.5, 0.5, 0.5]]
    assert len(b) == 0
    assert c is None


@pytest.mark.parametrize(
    "text",
    [
        "file,label,x1,y1,x2,y2\na.png,car,16,12,48,36\n",
        "\ufeffPath,X1,y1,x2,y2,Class_Name\r\nimages/a.png,16,12,48,36,car\r\n\r\n",
        "id, image , class,ymax,xmax,ymin,xmin\n7,/elsewhere/a.png, car ,36,48,12,16\n",
        'filename,class,xmin,ymin,xmax,ymax,note\n"a.png","car",16.0,12,4.8e1,36,"x,\ny"\n',
        "filename,class,xmin,ymin,xmax,ymax,note\nimg\\a.png,car,16,12,48,36\n",
    ],
)
def test_headers_are_read_by_their_meaning(root: Path, text: str) -> None:
    write(root, text)
    report = read(FolderData(root=root))
    assert report.problems == ()
    assert report.images.class_names == ("car",)
    assert report.images.table["labels"][0].rows().tolist() == [[0, 0.5, 0.5, 0.5, 0.5]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.png,64,48,car,16,12,48,\n", "expected a class and xmin, ymin, xmax, ymax, or none"),
        ("a.png,64,48,,16,12,48,36\n", "expected a class and xmin, ymin, xmax, ymax, or none"),
        ("a.png,64,48,car\n", "expected a class and xmin, ymin, xmax, ymax, or none"),
        (
            "a.png,64,48,car,l,12,48,36\n",
            "expected numbers as xmin, ymin, xmax, ymax",
        ),
        ("a.png,64,48,car,nan,12,48,36\n", "expected finite numbers"),
        ("a.png,64,48,car,48,12,16,36\n", "negative width or height"),
        ("a.png,64,48,car,0,0,64,52\n", "box out of range: y from 0 to 52 px"),
        ("a.png,64,,car,0,0,64,48\n", "expected whole numbers of pixels as width and height"),
        (
            "a.png,-64,-48,car,0,0,64,48\n",
            "expected whole numbers of pixels as width and height",
        ),
        ("a.png,x,48,car,0,0,64,48\n", "expected whole numbers of pixels as width and height"),
        ("a.png,6.4,48,car,0,0,6,4\n", "expected whole numbers of pixels as width and height"),
        (",64,48,car,0,0,64,48\n", "expected a filename"),
        ("a.png,64,48,,,,,\n", "no objects here, but a box of the same image in line 2"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line(root: Path, row: str, reason: str) -> None:
    report = read_rows(root, GOOD, EMPTY, row)
    [problem] = report.problems
    assert (problem.path, problem.line) == ((root / "boxes.csv").as_posix(), 4)
    assert problem.severity == "error"
    assert reason in problem.reason
    assert len(report.images.table["labels"][0]) == 1


CELLS = st.sampled_from(
    ["", "a.png", "b.png", "no.png", "car", "van", "nan", "1e999", "-1", "0", "7.5", "48", "64"]
)
ROWS = st.lists(st.lists(CELLS, max_size=9).map(",".join) | st.text(), max_size=6)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS)
def test_every_table_is_read_or_refused_with_its_line(root: Path, rows: list[str]) -> None:
    (root / "classes.txt").write_text("car\n")
    path = write(root, HEADER + "\n".join(rows))
    refused = ""
    try:
        report = read(FolderData(root=root))
    except InputError as error:
        refused = str(error)
    if refused:
        assert refused.startswith(f"{path}:")
        return
    for problem in report.problems:
        assert problem.path == path.as_posix()
        assert problem.line is not None
        assert problem.line > 1
    for labels in report.images.labelled().table["labels"]:
        low, high = (
            labels.xywhn[:, :2] - labels.xywhn[:, 2:] / 2,
            labels.xywhn[:, :2] + labels.xywhn[:, 2:] / 2,
        )
        assert (labels.xywhn[:, 2:] > 0).all()
        assert (low > -1e-8).all()
        assert (high < 1 + 1e-8).all()


def test_lines_are_those_of_the_file(root: Path) -> None:
    write(
        root, 'filename,class,xmin,ymin,xmax,ymax,note\na.png,car,1,1,9,9,"x\ny"\n\n,,,,,,z\n'
    )
    assert [problem.line for problem in read(FolderData(root=root)).problems] == [5]


def test_an_image_of_another_size_than_listed_is_an_error_said_once(root: Path) -> None:
    other = GOOD.replace("64,48", "640,480")
    report = read_rows(root, GOOD, other, other)
    [problem] = report.problems
    assert problem.line == 3
    assert "a.png is listed as (640, 480), but is (64, 48) pixels" in problem.reason
    assert report.images.table["labels"][0] is None


def test_warnings_leave_the_rest_alone(root: Path) -> None:
    gone = GOOD.replace("a.png", "gone.png")
    report = read_rows(root, GOOD, gone, GOOD, gone, "a.png,64,48,car,5,5,5,9\n")
    assert [
        (problem.line, problem.severity, problem.reason) for problem in report.problems
    ] == [
        (3, "warning", "image 'gone.png' not found, left out"),
        (4, "warning", "repeats another box, left out"),
        (6, "warning", "box without area, left out"),
    ]
    assert len(report.images.table["labels"][0]) == 1


def test_a_name_of_several_images_is_an_error(root: Path, draw: Draw) -> None:
    for seed in (7, 8):
        draw(root / f"part{seed}" / "d.png", seed=seed)
    report = read_rows(root, GOOD, GOOD.replace("a.png", "d.png") * 2)
    [problem] = report.problems
    assert (problem.line, problem.severity) == (3, "error")
    assert problem.reason == (
        "which image is it about? Several files are named 'd.png': "
        f"{root}/part7/d.png and {root}/part8/d.png"
    )
    assert read_rows(root, GOOD.replace("a.png", "part7/d.png")).problems == ()


def test_tables_beside_their_images_are_one_set(tmp_path: Path, draw: Draw) -> None:
    for seed, part in enumerate(("train", "valid")):
        draw(tmp_path / part / "a.png", seed=seed)
        write(tmp_path, HEADER + GOOD.replace("car", part), f"{part}/_annotations.csv")
    write(tmp_path, "epoch,loss\n1,2\n", "history.csv")
    report = read(FolderData(root=tmp_path))
    assert [problem.severity for problem in report.problems] == ["note"]
    assert report.images.class_names == ("train", "valid")
    assert [labels.class_id[0] for labels in report.images.table["labels"]] == [0, 1]


def test_an_image_in_two_tables_is_an_error_said_once(root: Path) -> None:
    write(root, HEADER + GOOD * 2, "more.csv")
    [problem] = read(FolderData(root=root)).problems
    assert (problem.path, problem.line) == ((root / "more.csv").as_posix(), 2)
    assert problem.reason == f"image 'a.png' is in {root}/boxes.csv:2 too"


def test_a_file_of_names_sets_the_order_and_is_complete(root: Path) -> None:
    (root / "classes.txt").write_text("van\ncar\n")
    assert read(FolderData(root=root)).images.class_names == ("van", "car")
    (root / "classes.txt").write_text("van\n")
    [problem] = read(FolderData(root=root)).problems
    expected = f"{root}/boxes.csv:2: error: 'car' is no class of the class list"
    assert str(problem) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("filename,class,xmin,ymin,xmax\n", r"boxes\.csv:1: expected a header .*no ymax$"),
        ("a.png,16,12,48,36,car\n", r"boxes\.csv:1: expected a header with filename, class"),
        ("filename;class;xmin;ymin;xmax;ymax\n", r"boxes\.csv:1: expected a header"),
        ("", r"boxes\.csv:1: expected a header"),
        ("file,path,class,x1,y1,x2,y2\n", r"boxes\.csv:1: several columns mean 'filename'"),
        (HEADER + GOOD + 'a.png,64,48,"car"x,1,2,3,4\n', r"boxes\.csv:3: expected CSV"),
        (HEADER + EMPTY, "no class name among its labels; give a file as data.names"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(root: Path, text: str, reason: str) -> None:
    write(root, text)
    with pytest.raises(InputError, match=reason):
        read(FolderData(root=root, format="csv"))


def test_a_table_that_is_no_text_or_not_there_is_refused(root: Path) -> None:
    path = root / "boxes.csv"
    path.write_bytes(HEADER.encode() + "weiß.png".encode("latin-1") + b",64,48,,,,,\n")
    with pytest.raises(InputError, match=r"boxes\.csv: expected UTF-8 text"):
        read(FolderData(root=root))
    path.unlink()
    with pytest.raises(InputError, match="no CSV file found"):
        read(FolderData(root=root, format="csv"))


def test_other_tables_are_not_taken_for_labels(root: Path) -> None:
    write(root, "epoch,loss\n1,2\n")
    with pytest.raises(InputError, match="no labels found among 3 images"):
        detect(scan(root))


def test_pandas_reads_what_is_written(odd_set: ImageSet, tmp_path: Path) -> None:
    table.write(tmp_path / "written", odd_set)
    rows = pd.read_csv(tmp_path / "written" / "annotations.csv")
    assert tuple(rows.columns) == table.COLUMNS
    assert rows["filename"].nunique() == 7
    assert all((tmp_path / "written" / name).is_file() for name in rows["filename"])
    without = rows[rows["class"].isna()]
    assert without["filename"].tolist() == ["images/no objects.bmp"]
    assert without[["xmin", "ymin", "xmax", "ymax"]].isna().all(axis=None)
    whole = rows[rows["filename"].str.contains("Größe")].iloc[0]
    assert whole.tolist() == ["images/Größe 😀.PNG", 62, 48, "red cell", 0, 0, 62, 48]
