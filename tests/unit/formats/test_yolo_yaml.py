"""data.yaml as people have it: paths of other machines, folders that no key names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.data.formats import DataReport, read
from backhaul.data.images import ImageReader
from backhaul.data.settings import FolderData
from backhaul.errors import InputError

Draw = Callable[..., Path]
NAMES = "names: [a, b]\n"


def fill(root: Path, draw: Draw, *folders: str) -> Path:
    """Draw an image with a box into each folder of images."""
    for seed, folder in enumerate(folders):
        name = f"{folder.replace('/', '_')}.png"
        draw(root / folder / name, seed=seed)
        labels = root / folder.replace("images", "labels")
        labels.mkdir(parents=True, exist_ok=True)
        (labels / name.replace(".png", ".txt")).write_text("0 0.5 0.5 0.25 0.5\n")
    return root


def look(root: Path, yaml: str) -> DataReport:
    (root / "data.yaml").write_text(yaml + NAMES)
    return read(FolderData(root=root, format="yolo"))


def told(report: DataReport) -> list[tuple[str, str]]:
    return [(problem.severity, problem.reason) for problem in report.problems]


@pytest.mark.parametrize(
    "path",
    [
        "/home/somebody/Cars.v2i.yolov8/train/images",
        "../train/images",
        "Cars-2/train/images",
        "../../datasets/train/images/",
        "C:\\Users\\me\\cars\\train\\images",
    ],
)
def test_a_folder_of_another_machine_is_found_by_its_last_parts_with_a_note(
    path: str, tmp_path: Path, draw: Draw
) -> None:
    root = fill(tmp_path / "set", draw, "train/images")
    report = look(root, f"train: '{path}'\n")
    [(severity, reason)] = told(report)
    assert severity == "note"
    assert f"{root}/train/images is read in its place" in reason
    assert len(report.images.labelled()) == 1


def test_the_path_of_another_machine_is_left_out_of_the_others(
    tmp_path: Path, draw: Draw
) -> None:
    root = fill(tmp_path / "set", draw, "train/images", "val/images")
    report = look(root, "path: /home/me/set\ntrain: train/images\nval: val/images\n")
    assert [severity for severity, _ in told(report)] == ["note", "note"]
    assert len(report.images) == 2


def test_what_is_nowhere_is_an_error_that_says_what_to_do(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "train/images")
    report = look(root, "train: /x/train/images\nval: /x/valid/images\n")
    with pytest.raises(
        InputError, match=r"data\.yaml: error: val: /x/valid/images: .*remove it"
    ):
        report.require_clean()


def test_one_folder_is_not_read_for_two(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "images")
    report = look(root, "train: /x/train/images\nval: /x/valid/images\n")
    assert [severity for severity, _ in told(report)] == ["note", "error"]
    report = look(root, "train: /x/cars/images\nval: /y/cars/images\n")
    assert [severity for severity, _ in told(report)] == ["note", "note"]


def test_two_places_with_the_last_parts_are_an_error(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "train/images", "cars/train/images")
    [(severity, reason)] = told_or_refused(root, "train: /x/cars/train/images\n")
    assert severity == "error"
    assert f"{root}/cars/train/images and {root}/train/images" in reason


def test_a_folder_above_and_one_beside_are_an_error(tmp_path: Path, draw: Draw) -> None:
    fill(tmp_path, draw, "train/images")
    root = fill(tmp_path / "set", draw, "train/images")
    [(severity, reason), *_] = told_or_refused(root, "train: ../train/images\n")
    assert severity == "error"
    assert "may be" in reason


def told_or_refused(root: Path, yaml: str) -> list[tuple[str, str]]:
    try:
        return told(look(root, yaml))
    except InputError as error:
        return [("error", str(error))]


def test_folders_that_no_key_names_are_counted(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "train/images", "test/images", "extra/images")
    draw(root / "extra/images/unlabelled.png", seed=9)
    report = look(root, "train: train/images\n")
    assert [(Path(p.path).parent.name, p.severity, p.reason[:31]) for p in report.problems] == [
        ("extra", "warning", "2 images, 1 of them with labels"),
        ("test", "warning", "1 images, 1 of them with labels"),
    ]


def test_images_that_a_key_names_through_a_link_are_not_said_to_be_left_out(
    tmp_path: Path, draw: Draw
) -> None:
    root = fill(tmp_path / "set", draw, "pool/images")
    (root / "train").symlink_to(root / "pool")
    assert told(look(root, "train: train/images\n")) == []


def test_a_folder_without_images_is_told(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "train/images")
    (root / "test/images").mkdir(parents=True)
    [(severity, reason)] = told(look(root, "train: train/images\ntest: test/images\n"))
    assert severity == "warning"
    assert "holds no image" in reason


def test_lists_of_another_machine_have_one_note_each(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "images/train", "images/val")
    lines = [f"/data/cars/images/{name}/images_{name}.png\n" for name in ("train", "val")]
    (root / "train.txt").write_text("".join(lines))
    report = look(root, "train: /data/cars/train.txt\n")
    assert [(severity, reason[:7]) for severity, reason in told(report)] == [
        ("note", "train: "),
        ("note", "2 lines"),
    ]
    assert len(report.images.labelled()) == 2


def test_two_lines_of_a_list_do_not_become_one_image(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "images")
    (root / "train.txt").write_text(
        "/x/day/images.png\n/x/night/images.png\n/x/images/images.png"
    )
    report = look(root, "train: train.txt\n")
    assert len(report.images) == 1
    [warning] = [problem for problem in report.problems if problem.severity == "warning"]
    assert warning.line == 1
    assert warning.reason.startswith("2 lines (/x/day/images.png, /x/night/images.png)")


def test_a_list_that_leads_mostly_nowhere_is_an_error(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "images")
    (root / "train.txt").write_text("images/images.png\nimages/b.png\nimages/c.png\n")
    assert ("error", "2 of 3 lines lead to no image") in told(look(root, "train: train.txt\n"))


def test_nothing_outside_is_found_by_last_parts(tmp_path: Path, draw: Draw) -> None:
    fill(tmp_path / "other", draw, "train/images")
    root = fill(tmp_path / "set", draw, "train/images")
    (root / "data.yaml").write_text(f"train: {tmp_path}/other/train/images\n{NAMES}")
    data = FolderData(root=root, format="yolo")
    inside = read(data, ImageReader(within=str(root)))
    assert inside.images.table["uri"].str.startswith(f"{root}/").all()
    assert [problem.severity for problem in inside.problems] == ["note"]
    here = read(data)
    assert here.images.table["uri"].str.startswith(f"{tmp_path}/other/").all()
    assert "no key of data.yaml names" in here.problems[0].reason


@pytest.mark.parametrize(
    ("other", "content", "reason"),
    [
        ("dataset.yaml", "train: images\nnames: [b, a]\n", "data.yaml or dataset.yaml"),
        ("dataset.yaml", "train: elsewhere\nnames: [a, b]\n", "data.yaml or dataset.yaml"),
        ("data.yml", "train: images\nnames: [a]\n", "data.yaml or data.yml|data.yml or data"),
        ("classes.txt", "b\na\n", "data.yaml and .*classes.txt are different class lists"),
        ("images/classes.txt", "a\n", "data.yaml and .*classes.txt are different class lists"),
    ],
)
def test_files_that_disagree_are_both_named(
    other: str, content: str, reason: str, tmp_path: Path, draw: Draw
) -> None:
    root = fill(tmp_path / "set", draw, "images")
    (root / other).write_text(content)
    with pytest.raises(InputError, match=reason):
        look(root, "train: images\n")


@pytest.mark.parametrize(
    ("other", "content"),
    [
        ("dataset.yaml", "train: images\nnames: {0: a, 1: b}\n"),
        ("classes.txt", "a\r\nb\r\n\r\n"),
    ],
)
def test_files_that_agree_are_fine(
    other: str, content: str, tmp_path: Path, draw: Draw
) -> None:
    root = fill(tmp_path / "set", draw, "images")
    (root / other).write_text(content)
    assert told(look(root, "train: images\n")) == []


def test_the_folder_of_several_data_sets_says_which_to_give(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "images")
    look(root, "train: images\n")
    with pytest.raises(InputError, match=f"or one of the data sets in it, as {root}"):
        read(FolderData(root=tmp_path, format="yolo"))


def test_keypoints_are_not_taken_for_outlines(tmp_path: Path, draw: Draw) -> None:
    root = fill(tmp_path / "set", draw, "images")
    with pytest.raises(InputError, match="kpt_shape: lines with keypoints are not read"):
        look(root, "train: images\nkpt_shape: [4, 3]\n")
