from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backhaul.data.formats import DataReport, detect, kitti, read
from backhaul.data.formats.files import scan
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

Draw = Callable[..., Path]
SPACE = "1.89 0.48 1.20 1.84 1.47 8.41 0.01"


def line(name: str, *corners: object) -> str:
    return f"{name} 0.00 0 -0.20 {' '.join(map(str, corners))} {SPACE}\n"


GOOD = line("Car", "16.00", "12.00", "48.00", "36.00")
DONT_CARE = "DontCare -1 -1 -10 5.5 1.7 9.6 3.1 -1 -1 -1 -1000 -1000 -1000 -10\n"


@pytest.fixture
def root(tmp_path: Path, draw: Draw) -> Path:
    """Three images in the folders of the benchmark, of which only the second lacks labels."""
    for seed in range(3):
        draw(tmp_path / "training" / "image_2" / f"00000{seed}.png", seed=seed)
    (tmp_path / "training" / "label_2").mkdir()
    (tmp_path / "training" / "label_2" / "000000.txt").write_text(GOOD)
    (tmp_path / "training" / "label_2" / "000002.txt").write_text("")
    return tmp_path


def read_lines(root: Path, *lines: str) -> DataReport:
    (root / "training" / "label_2" / "000000.txt").write_text("".join(lines))
    return read(FolderData(root=root))


def test_corners_are_edges_and_a_missing_file_is_not_an_empty_one(root: Path) -> None:
    report = read(FolderData(root=root))
    assert report.problems == ()
    assert report.images.class_names == ("Car",)
    first, second, third = report.images.table["labels"]
    assert first.rows().tolist() == [[0, 0.5, 0.5, 0.5, 0.5]]
    assert second is None
    assert len(third) == 0


def test_a_score_is_passed_over(root: Path) -> None:
    report = read_lines(root, GOOD.rstrip() + " 0.87\r\n", "\n", line("Van", 0, 0, 8, 8.5))
    assert report.problems == ()
    assert report.images.table["labels"][0].class_id.tolist() == [0, 1]


def test_types_are_sorted_and_regions_nobody_labelled_are_no_class(root: Path) -> None:
    (root / "training" / "label_2" / "000002.txt").write_text(DONT_CARE)
    report = read_lines(root, GOOD, DONT_CARE, line("Bus", 0, 0, 8, 8), DONT_CARE)
    assert report.images.class_names == ("Bus", "Car")
    assert [len(labels) for labels in report.images.labelled().table["labels"]] == [2, 0]
    [problem] = report.problems
    assert str(problem) == f"{root}: warning: 3 DontCare regions in 2 files left out"


def test_a_file_of_names_sets_the_order_and_is_complete(root: Path) -> None:
    (root / "classes.txt").write_text("Van\nCar\n")
    assert read(FolderData(root=root)).images.class_names == ("Van", "Car")
    names = root / "names.txt"
    names.write_text("Car\n")
    report = read(FolderData(root=root, names=names))
    assert report.images.class_names == ("Car",)
    (root / "classes.txt").write_text("Van\n")
    [problem] = read(FolderData(root=root)).problems
    path = root / "training" / "label_2" / "000000.txt"
    assert str(problem) == f"{path}:1: error: 'Car' is no class of the class list"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Car 0 0 0 1 2 3\n", "expected 15 columns (type truncated occluded alpha left top"),
        (GOOD.rstrip() + " 0.5 0.5\n", "or 16 with a score, got 17"),
        (line("Car", "a", 2, 3, 4), "column 5 is no number"),
        (line("fire hydrant", 1, 2, 3, 4).replace(" 0.01", ""), "column 2 is no number"),
        (line("Car", 1, 2, 3, 4).replace("1.89", "1,89"), "column 9 is no number"),
        (line("Car", "nan", 2, 3, 4), "expected finite numbers"),
        (line("Car", 9, 2, 3, 4), "negative width or height"),
        (line("Car", 60, 2, 66, 4), "box out of range: x from 60 to 66 px, expected within"),
    ],
)
def test_a_bad_line_is_an_error_with_its_line(root: Path, text: str, reason: str) -> None:
    report = read_lines(root, GOOD, "\n", text)
    [problem] = report.errors
    assert problem.path == (root / "training" / "label_2" / "000000.txt").as_posix()
    assert problem.line == 3
    assert reason in problem.reason
    assert len(report.images.table["labels"][0]) == 1


NUMBERS = st.sampled_from(["nan", "1e999", "-1", "0", "7.5", "48", "64", "65", "x", "٣"])
LINES = st.lists(
    st.builds(line, st.sampled_from(["Car", "Van", "DontCare"]), *[NUMBERS] * 4)
    | st.text().map(lambda text: " ".join(text.replace("\ufeff", "").split()) + "\n"),
    max_size=5,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LINES)
def test_every_line_is_a_good_box_or_a_problem(root: Path, lines: list[str]) -> None:
    path = root / "training" / "label_2" / "000000.txt"
    path.write_text("".join(lines), encoding="utf-8")
    (root / "classes.txt").write_text("Car\n")
    report = read(FolderData(root=root, format="kitti"))
    labels = report.images.table["labels"][0]
    n_objects = sum(1 for text in lines if text.strip() and "DontCare" not in text.split()[0])
    assert len(labels) + sum(1 for p in report.problems if p.line) == n_objects
    low, high = (
        labels.xywhn[:, :2] - labels.xywhn[:, 2:] / 2,
        labels.xywhn[:, :2] + labels.xywhn[:, 2:] / 2,
    )
    assert (labels.xywhn[:, 2:] > 0).all()
    assert (low > -1e-8).all()
    assert (high < 1 + 1e-8).all()


def test_a_box_over_the_edge_by_rounding_is_clipped(root: Path) -> None:
    report = read_lines(root, line("Car", -0.4, 0, 64.3, 48))
    assert report.problems == ()
    assert report.images.table["labels"][0].xywhn[0] == pytest.approx([0.5, 0.5, 1, 1])


def test_a_box_without_area_and_labels_without_an_image_are_warnings(root: Path) -> None:
    (root / "training" / "label_2" / "000007.txt").write_text(GOOD)
    report = read_lines(root, GOOD, line("Car", 5, 5, 5, 9))
    assert [
        (problem.line, problem.severity, problem.reason) for problem in report.problems
    ] == [
        (2, "warning", "box without area, left out"),
        (None, "warning", "labels without an image"),
    ]


def test_a_label_file_that_is_no_text_is_an_error(root: Path) -> None:
    (root / "training" / "label_2" / "000002.txt").write_bytes(b"\xff\xfe\x00")
    [problem] = read(FolderData(root=root)).errors
    assert "expected UTF-8 text" in problem.reason


def test_without_types_and_names_it_is_refused(root: Path) -> None:
    (root / "training" / "label_2" / "000000.txt").unlink()
    with pytest.raises(InputError, match="no class name among its labels; give a file as"):
        read(FolderData(root=root))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, "kitti"),
        ("\n" + DONT_CARE, "kitti"),
        (GOOD.rstrip() + " 0.5", "kitti"),
        ("0 0.5 0.5 0.25 0.5", "yolo"),
        ("car 0.5 0.5 0.25 0.5", "yolo"),
        (" ".join(["0", *["0.5"] * 14]), "yolo"),  # a polygon
        ("", "yolo"),
    ],
)
def test_in_folders_that_yolo_has_too_the_first_line_tells(
    tmp_path: Path, draw: Draw, text: str, expected: str
) -> None:
    for seed, name in enumerate("ab"):
        draw(tmp_path / "images" / f"{name}.jpg", seed=seed)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("")
    (tmp_path / "labels" / "b.txt").write_text(text)
    assert detect(scan(tmp_path)) == expected
    if expected == "kitti":
        table = read(FolderData(root=tmp_path, names=named(tmp_path))).images.table
        assert len(table["labels"][0]) == 0


def named(folder: Path) -> Path:
    (folder / "names.txt").write_text("Car\n")
    return folder / "names.txt"


def test_what_is_written_has_the_columns_of_the_benchmark(
    odd_set: ImageSet, tmp_path: Path
) -> None:
    kitti.write(tmp_path / "written", odd_set)
    texts = {
        path.stem: path.read_text(encoding="utf-8").splitlines()
        for path in (tmp_path / "written" / "label_2").iterdir()
    }
    assert len(texts) == 7
    assert texts["no objects"] == []
    first, second = texts[f"plain-{odd_set.ids[0]}"]
    assert first == "red_cell -1 -1 -10 22.5 12 37.5 36 -1 -1 -1 -1000 -1000 -1000 -10"
    assert second.split()[0] == "c"
    [thirds] = texts["with space"]
    assert thirds.split()[4] == "17.283333"  # of a pixel, a millionth


def test_a_class_called_like_what_is_no_object_is_refused(
    odd_set: ImageSet, tmp_path: Path
) -> None:
    images = ImageSet(odd_set.table, ("Car", "DontCare", "Van"))
    with pytest.raises(InputError, match="class 'DontCare': KITTI has this name for"):
        kitti.write(tmp_path / "written", images)
