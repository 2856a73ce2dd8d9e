from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backhaul.data.formats import DataReport, read, yolo
from backhaul.data.formats.yolo import label_paths, parse_lines
from backhaul.data.images import ImageFile
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

Draw = Callable[..., Path]
GOOD = "0 0.5 0.5 0.25 0.5\n"


@pytest.fixture
def root(tmp_path: Path, draw: Draw) -> Path:
    """Three images, of which only the second lacks labels."""
    folder = tmp_path / "images" / "set"  # "images" is in the path twice
    for seed in range(3):
        draw(folder / "images" / f"i{seed}.png", seed=seed)
    (folder / "labels").mkdir()
    (folder / "labels" / "i0.txt").write_text(GOOD)
    (folder / "labels" / "i2.txt").write_text("")
    (folder / "data.yaml").write_text("names: [a, b, c]\n")
    return folder


def labels_of(report: DataReport, name: str) -> list[list[float]] | None:
    [labels] = report.images.table.loc[report.images.table["uri"].str.endswith(name), "labels"]
    return None if labels is None else labels.rows().tolist()


def read_line(root: Path, text: str) -> DataReport:
    (root / "labels" / "i0.txt").write_text(text)
    return read(FolderData(root=root))


def test_no_label_file_is_not_the_same_as_an_empty_one(root: Path) -> None:
    report = read(FolderData(root=root))
    assert report.problems == ()
    assert labels_of(report, "i0.png") == [[0.0, 0.5, 0.5, 0.25, 0.5]]
    assert labels_of(report, "i1.png") is None
    assert labels_of(report, "i2.png") == []


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("/images/images/a.jpg", "/images/labels/a.txt"),
        ("/images/x/images/train/my images 1.jpeg", "/images/x/labels/train/my images 1.txt"),
        ("/old images/a.images/images/v1.2.JPEG", "/old images/a.images/labels/v1.2.txt"),
        ("/images.jpg/images/images.png", "/images.jpg/labels/images.txt"),
    ],
)
def test_defect_13_label_paths_are_found_by_structure(image: str, expected: str) -> None:
    beside = image[: image.rindex(".")] + ".txt"
    assert label_paths(image) == (expected, beside)


def test_defect_13_a_folder_with_images_in_its_name_is_no_folder_of_images() -> None:
    assert label_paths("/my images/a.jpeg") == ("/my images/a.txt",)


BAD_LINES = {
    "7 0.5 0.5 2 2": r"class 7 is out of range 0\.\.2",
    "-1 0.5 0.5 0.1 0.1": r"class -1 is out of range 0\.\.2",
    "1 0.5 0.5 2 0.5": r"box out of range: x from -32 to 96 px, expected within 0 to 64",
    "1 0.5 0.99 0.1 0.1": r"box out of range: y from 45\.12 to 49\.92 px, expected ",
    "0 0.5 0.5 0.1": r"expected 5 numbers \(class cx cy w h\), or .* or more, got 4",
    "0 0.1 0.1 0.2 0.1 0.2": r"expected 5 .*three corners or more, got 6",
    "0 0.1 0.1 0.2 0.1 0.2 0.2 0.3": r"expected 5 .*three corners or more, got 8",
    "0 0.1 0.1 0.2 0.1 nan 0.2": r"expected finite numbers",
    "0 0.1 0.1 0.2 0.1 0.2 1.2": r"box out of range: y from 4\.8 to 57\.6 px",
    "a 0.5 0.5 0.1 0.1": r"expected 5 numbers .* or more, field 1 is no number",
    "0,0.5,0.5,0.1,0.1": r"expected 5 numbers .* or more, got 1",
    "0.5 0.5 0.5 0.1 0.1": r"class 0\.5 is no whole number",
    "inf 0.5 0.5 0.1 0.1": r"expected 5 numbers",
    "0 nan 0.5 0.1 0.1": r"expected finite numbers",
    "0 0.5 0.5 inf 0.1": r"expected finite numbers",
    "0 0.5 0.5 -0.1 0.1": r"negative width or height",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_is_an_error_with_file_line_and_reason(root: Path, line: str) -> None:
    report = read_line(root, f"{GOOD}\n{line}\n")
    [problem] = report.problems
    assert (problem.path, problem.line) == ((root / "labels" / "i0.txt").as_posix(), 3)
    assert problem.severity == "error"
    with pytest.raises(InputError, match=r"labels/i0\.txt:3: error: " + BAD_LINES[line]):
        report.require_clean()
    assert labels_of(report, "i0.png") == [[0.0, 0.5, 0.5, 0.25, 0.5]]


NUMBERS = st.floats() | st.floats(0, 1) | st.integers(-1, 3)
LINES = st.lists(st.lists(NUMBERS.map(str), min_size=4, max_size=6).map(" ".join)).map(
    "\n".join
)


@given(st.text() | LINES)
@example("0 1e309 0.5 0.1 0.1\n\n0 5e-324 5e-324 5e-324 5e-324\n٣ 0.5 0.5 1 1")
def test_every_line_is_a_good_box_or_a_problem(text: str) -> None:
    labels, problems = parse_lines(text, "a.txt", ImageFile("a.png", "0", 64, 48, 1), 3)
    assert labels is not None
    assert len(labels) + len(problems) == sum(1 for line in text.splitlines() if line.strip())
    assert np.isin(labels.class_id, [0, 1, 2]).all()
    low, high = (
        labels.xywhn[:, :2] - labels.xywhn[:, 2:] / 2,
        labels.xywhn[:, :2] + labels.xywhn[:, 2:] / 2,
    )
    assert (labels.xywhn[:, 2:] > 0).all()
    assert (low > -1e-8).all()
    assert (high < 1 + 1e-8).all()


def test_rounding_over_the_edge_is_clipped(root: Path) -> None:
    report = read_line(root, "0 0.5 0.5 1.03 1.0000004\n1 0.05 0.9 0.1 0.24\n")
    assert report.problems == ()  # 0.96 px of 64, and 0.96 px of 48
    labels = labels_of(report, "i0.png")
    np.testing.assert_allclose(
        np.array(labels), [[0, 0.5, 0.5, 1, 1], [1, 0.05, 0.89, 0.1, 0.22]], atol=1e-12
    )


def test_the_tolerance_of_a_large_image_is_a_thousandth_of_its_side(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "a.png", width=4000, height=8)
    (tmp_path / "classes.txt").write_text("a\n")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1.0018 1\n")
    assert read(FolderData(root=tmp_path)).problems == ()
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1.0022 1\n")
    assert "box out of range" in read(FolderData(root=tmp_path)).problems[0].reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 0.5 0.5 0 0.1", "box without area, left out"),
        ("1 -0.005 0.5 0.01 0.1", "box without area, left out"),
        (GOOD.strip(), "repeats another box, left out"),
    ],
)
def test_a_box_that_is_no_object_is_left_out_with_a_warning(
    root: Path, line: str, reason: str
) -> None:
    report = read_line(root, f"{GOOD}{line}")
    [problem] = report.problems
    assert (problem.line, problem.reason, problem.severity) == (2, reason, "warning")
    report.require_clean()
    assert labels_of(report, "i0.png") == [[0.0, 0.5, 0.5, 0.25, 0.5]]


def test_label_files_may_have_a_byte_order_mark_and_windows_line_ends(root: Path) -> None:
    (root / "labels" / "i0.txt").write_bytes(b"\xef\xbb\xbf0 0.5 0.5 0.25 0.5\r\n\r\n")
    report = read(FolderData(root=root))
    assert report.problems == ()
    assert labels_of(report, "i0.png") == [[0.0, 0.5, 0.5, 0.25, 0.5]]


def test_a_label_file_that_is_no_text_is_an_error(root: Path) -> None:
    (root / "labels" / "i0.txt").write_bytes(b"\xff\xfe\x00")
    assert read(FolderData(root=root)).problems[0].severity == "error"


def test_only_ten_errors_are_shown_and_all_are_counted(root: Path) -> None:
    report = read_line(root, "9 0.5 0.5 0.1 0.1\n" * 25 + GOOD * 2)
    with pytest.raises(InputError) as caught:
        report.require_clean()
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert lines[10] == "... and 15 more"
    assert lines[11].startswith("25 errors in 1 files, 1 warnings")
    assert len(report.problems) == 26


def test_copies_of_an_image_count_once(root: Path) -> None:
    shutil.copy(root / "images" / "i0.png", root / "images" / "j.png")
    (root / "labels" / "j.txt").write_text("0 0.500001 0.5 0.25 0.5")
    report = read(FolderData(root=root))
    assert len(report.images) == 3
    [problem] = report.problems
    assert problem.severity == "warning"
    assert problem.reason == f"same image as {root.as_posix()}/images/i0.png, left out"


def test_a_copy_with_other_labels_is_an_error(root: Path) -> None:
    shutil.copy(root / "images" / "i0.png", root / "images" / "j.png")
    (root / "labels" / "j.txt").write_text("1 0.5 0.5 0.25 0.5")
    report = read(FolderData(root=root))
    with pytest.raises(
        InputError, match=r"images/j\.png: error: same image as .*but other labels"
    ):
        report.require_clean()


def test_an_unlabelled_image_takes_the_labels_of_its_copy(root: Path) -> None:
    shutil.copy(root / "images" / "i1.png", root / "images" / "j.png")
    (root / "labels" / "j.txt").write_text(GOOD)
    report = read(FolderData(root=root))
    report.require_clean()
    assert labels_of(report, "i1.png") == [[0.0, 0.5, 0.5, 0.25, 0.5]]
    assert report.images.table["label_source"].tolist() == ["dataset"] * 3


def test_labels_without_an_image_are_a_warning(root: Path) -> None:
    (root / "labels" / "lost.txt").write_text(GOOD)
    (root / "labels" / "classes.txt").write_text("a\nb\nc\n")
    [problem] = read(FolderData(root=root)).problems
    assert (problem.path, problem.severity) == (
        (root / "labels/lost.txt").as_posix(),
        "warning",
    )


def test_two_images_that_share_a_label_file_are_a_warning(root: Path, draw: Draw) -> None:
    draw(root / "images" / "i0.jpg", seed=9)
    problems = read(FolderData(root=root)).problems
    assert [Path(problem.path).name for problem in problems] == ["i0.jpg", "i0.png"]


def test_hidden_files_are_no_images(root: Path) -> None:
    (root / "images" / "._i0.png").write_bytes(b"resource fork")
    (root / ".cache").mkdir()
    shutil.copy(root / "images" / "i0.png", root / ".cache" / "i0.png")
    assert read(FolderData(root=root)).problems == ()


def test_links_are_followed_and_may_lead_back(root: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "images").symlink_to(root / "images")
    (linked / "labels").symlink_to(root / "labels")
    (linked / "again").symlink_to(linked)
    (linked / "classes.txt").write_text("a\nb\nc\n")
    report = read(FolderData(root=linked))
    assert len(report.images) == 3
    assert labels_of(report, "i0.png") == [[0.0, 0.5, 0.5, 0.25, 0.5]]


def test_darknet_folders_have_labels_beside_images(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "obj_train_data" / "a.JPG")
    (tmp_path / "obj_train_data" / "a.txt").write_text(GOOD)
    (tmp_path / "obj.names").write_text("first\n\n  second \n")
    report = read(FolderData(root=tmp_path))
    assert report.images.class_names == ("first", "second")
    assert labels_of(report, "a.JPG") == [[0.0, 0.5, 0.5, 0.25, 0.5]]


def test_sub_folders_of_images_have_the_same_below_labels(tmp_path: Path, draw: Draw) -> None:
    for seed, subset in enumerate(("train", "val")):
        draw(tmp_path / "images" / subset / "a.png", seed=seed)
        (tmp_path / "labels" / subset).mkdir(parents=True)
        (tmp_path / "labels" / subset / "a.txt").write_text(f"{seed} 0.5 0.5 0.25 0.5")
    names = tmp_path / "my names.txt"
    names.write_text("x\ny\n", encoding="utf-8-sig")
    report = read(FolderData(root=tmp_path, names=names))
    assert report.images.class_names == ("x", "y")
    assert [labels.class_id[0] for labels in report.images.table["labels"]] == [0, 1]


NAMES = "names: {1: b, 0: a}\nnc: 2\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("train: images/train\nval: images/val\n", "abc"),
        ("train: [images/train]\nval: [images/val, images/train]\n", "abc"),
        ("path: sub/..\ntrain: images/train\n", "ab"),
        ("path: ../elsewhere/set\ntrain: images/train\n", "ab"),
        ("train: ../images/train\nvalid: ../images/val\n", "abc"),
        ("train: lists/train.txt\nval: images/val\n", "ac"),
        ("train: lists/from_root.txt\n", "b"),
        ("train: images\n", "abcd"),
        ("", "abcd"),
    ],
)
def test_data_yaml_names_folders_and_lists(
    tmp_path: Path, draw: Draw, content: str, expected: str
) -> None:
    root = tmp_path / "set"
    for seed, name in enumerate(("train/a.png", "train/b.png", "val/c.png", "spare/d.png")):
        draw(root / "images" / name, seed=seed)
    (root / "lists").mkdir()
    (root / "sub").mkdir()
    (root / "lists" / "train.txt").write_text("./../images/train/a.png\n\n")
    (root / "lists" / "from_root.txt").write_text("images/train/b.png\n")
    (root / "data.yaml").write_text(content + NAMES)
    report = read(FolderData(root=root))
    others = [p for p in report.problems if "no key of data.yaml names" not in p.reason]
    assert {problem.severity for problem in others} <= {"note"}
    assert report.images.class_names == ("a", "b")
    assert "".join(sorted(Path(uri).stem for uri in report.images.table["uri"])) == expected


def test_a_folder_named_in_vain_is_an_error_and_an_image_of_a_list_a_warning(
    root: Path,
) -> None:
    (root / "list.txt").write_text("images/i0.png\nimages/gone.png\n")
    (root / "data.yaml").write_text("names: [a, b, c]\ntrain: list.txt\ntest: images/test\n")
    report = read(FolderData(root=root))
    assert [(Path(p.path).name, p.line, p.severity) for p in report.problems] == [
        ("data.yaml", None, "error"),
        ("images", None, "warning"),
        ("list.txt", 2, "warning"),
    ]
    assert "2 images, 1 of them with labels, that no key" in report.problems[1].reason
    assert len(report.images) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("names: [a, b]\nnc: 3\n", "nc is 3, but there are 2 names"),
        ("names: [a, a]\n", "classes 0 and 1 have the same name"),
        ("names: {0: a, 2: b}\n", r"expected class ids 0\.\.1"),
        ("names: [a, no]\n", "False is no text; put it in quotes"),
        ("names: []\n", "no class name"),
        ("names: text\n", "expected a list"),
        ("names: [a\n", "not YAML"),
    ],
)
def test_a_wrong_data_yaml_is_refused(root: Path, content: str, reason: str) -> None:
    (root / "data.yaml").write_text(content)
    with pytest.raises(InputError, match=rf"data\.yaml: .*{reason}"):
        read(FolderData(root=root))


def test_without_class_names_the_places_looked_at_are_named(root: Path) -> None:
    (root / "data.yaml").unlink()
    with pytest.raises(InputError, match=r"no class names: looked for a data\.yaml"):
        read(FolderData(root=root))


def test_a_names_file_that_is_missing_is_refused(root: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.txt: No such file"):
        read(FolderData(root=root, names=root / "gone.txt"))


def test_ultralytics_accepts_what_is_written(odd_set: ImageSet, tmp_path: Path) -> None:
    utils = pytest.importorskip("ultralytics.data.utils")
    yolo.write(tmp_path / "written", odd_set)
    data = utils.check_det_dataset(str(tmp_path / "written" / "data.yaml"), autodownload=False)
    assert tuple(data["names"].values()) == odd_set.class_names
    table = read(FolderData(root=tmp_path / "written")).images.table
    paths = utils.img2label_paths(table["uri"].tolist())
    for uri, path, expected in zip(table["uri"], paths, table["labels"], strict=True):
        result = utils.verify_image_label((uri, path, "", False, 3, 0, 0, False))
        _, labels, _, _, _, n_missing, _, _, n_corrupt, message = result
        assert (n_corrupt, message) == (0, "")
        assert n_missing == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(labels, expected.rows(), atol=1e-6)
