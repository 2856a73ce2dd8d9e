"""What looks like data is not passed over without a word, and names match in any form."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from backhaul.data.formats import FORMATS, read
from backhaul.data.formats.writing import copy_file
from backhaul.data.settings import FolderData
from backhaul.values.images import ImageSet

Draw = Callable[..., Path]
GOOD = "0 0.5 0.5 0.25 0.5\n"
NFC, NFD = unicodedata.normalize("NFC", "Übergang"), unicodedata.normalize("NFD", "Übergang")


@pytest.fixture
def root(tmp_path: Path, draw: Draw) -> Path:
    """One image with its labels beside it, as labelImg writes them."""
    draw(tmp_path / "set/a.png")
    (tmp_path / "set/a.txt").write_text(GOOD)
    (tmp_path / "set/classes.txt").write_text("x\n")
    return tmp_path / "set"


def told(root: Path, label_format: str = "auto") -> list[tuple[str, str]]:
    data = FolderData.model_validate({"root": root, "format": label_format})
    return [(problem.severity, problem.reason) for problem in read(data).problems]


@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".gif", ".heic", ".avif"])
def test_images_that_are_not_read_are_counted_and_named(suffix: str, root: Path) -> None:
    for stem in "bcdef":
        (root / f"{stem}{suffix}").write_bytes(b"image")
        (root / f"{stem}.txt").write_text(GOOD)
    images, labels = sorted(told(root), key=lambda each: "labels" in each[1])
    assert images[0] == labels[0] == "warning"
    assert images[1].startswith(
        f"5 {suffix.lower()} files (b{suffix}, c{suffix}, d{suffix}, ...)"
    )
    assert labels[1].startswith(
        "5 .txt files (b.txt, c.txt, d.txt, ...) look like labels of no"
    )


@pytest.mark.parametrize("suffix", [".json", ".xml", ".csv"])
def test_files_of_other_formats_are_counted_and_named(suffix: str, root: Path) -> None:
    for stem in ("notes", "more"):
        (root / f"{stem}{suffix}").write_text("{}")
    [(severity, reason)] = told(root, "yolo")
    assert severity == "note"
    assert reason.startswith(f"2 {suffix} files (more{suffix}, notes{suffix}) not read")


OTHERS = {
    "coco": ("captions.json", '{"images": [], "annotations": [{"caption": "a"}]}', "note"),
    "cvat": ("notes.xml", "<notes/>", "note"),
    "csv": ("notes.csv", "image,weather\na.png,sunny\n", "note"),
    "voc": ("notes.xml", "<notes/>", "warning"),
    "kitti": ("old_labels/z.txt", f"Car 0 0 0 1 2 9 9 {' '.join('1' * 7)}\n", "warning"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_with_the_suffix_of_labels_that_are_not_read_are_counted_and_named(
    name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    FORMATS[name].write(root, odd_set, copy_file)
    file, content, severity = OTHERS[name]
    (root / file).parent.mkdir(exist_ok=True)
    for number in range(4):
        path = root / file
        path.with_name(f"{number}{path.name}").write_text(content)
    [(worst, reason)] = told(root, name)
    assert worst == severity
    called = Path(file).name
    assert reason.startswith(f"4 {Path(file).suffix} files (0{called}, 1{called}, 2{called}, ")


def test_a_json_beside_instances_is_named_also_if_it_is_coco(
    odd_set: ImageSet, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    FORMATS["coco"].write(root, odd_set, copy_file)
    instances = root / "annotations" / "instances.json"
    instances.with_name("person_keypoints.json").write_bytes(instances.read_bytes())
    [(severity, reason)] = told(root)
    assert severity == "note"
    assert reason.startswith("1 .json file (annotations/person_keypoints.json) not read")


def test_calibrations_of_kitti_are_no_labels(odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS["kitti"].write(tmp_path / "set", odd_set, copy_file)
    (tmp_path / "set/calib").mkdir()
    (tmp_path / "set/calib/0.txt").write_text(f"P0: {' '.join('7' * 12)}\n")
    assert told(tmp_path / "set") == []


@pytest.mark.parametrize("other", ["", "Van 0 0 0 1 2 9 9 1 1 1 1 1 1 1\n", "\xff"])
def test_two_label_files_of_one_image_of_kitti_are_not_chosen_between(
    other: str, tmp_path: Path, draw: Draw
) -> None:
    line = "Car 0 0 0 1 2 9 9 1 1 1 1 1 1 1\n"
    draw(tmp_path / "images/image_2/a.png")
    (tmp_path / "classes.txt").write_text("Car\n")
    paths = [tmp_path / "images/label_2/a.txt", tmp_path / "labels/image_2/a.txt"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text(line)
    assert told(tmp_path, "kitti") == []
    paths[1].write_text(other, encoding="latin-1")
    [(severity, reason)] = told(tmp_path, "kitti")
    assert severity == "error"
    assert f"{paths[0]} or {paths[1]}" in reason or "expected UTF-8 text" in reason


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"yolo", "kitti"}))
def test_label_lines_beside_another_format_are_named(
    name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    FORMATS[name].write(tmp_path / "set", odd_set, copy_file)
    image = next((tmp_path / "set").rglob("*.bmp"))
    image.with_suffix(".txt").write_text(GOOD)
    image.with_name("other.txt").write_text(GOOD)
    [(severity, reason)] = told(tmp_path / "set", name)
    assert severity == "note"
    assert reason.startswith("1 .txt file (")


def test_a_folder_of_labels_beside_the_one_that_is_read_is_told(
    tmp_path: Path, draw: Draw
) -> None:
    for folder in ("labels", "labels_old", "notes"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(
            GOOD if folder != "notes" else "sunny, 3 cars\n"
        )
    draw(tmp_path / "images/a.png")
    (tmp_path / "classes.txt").write_text("x\n")
    [problem] = read(FolderData(root=tmp_path)).problems
    assert (problem.path, problem.severity) == (f"{tmp_path}/labels_old", "warning")


def test_two_label_files_of_one_image_are_not_chosen_between(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "images/a.png")
    (tmp_path / "classes.txt").write_text("x\n")
    (tmp_path / "labels").mkdir()
    for folder in ("images", "labels"):
        (tmp_path / folder / "a.txt").write_text(GOOD)
    assert told(tmp_path) == []
    (tmp_path / "images/a.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    [(severity, reason)] = told(tmp_path)
    assert severity == "error"
    assert f"{tmp_path}/labels/a.txt or {tmp_path}/images/a.txt" in reason


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_another_unicode_form_match(
    name: str, form: Literal["NFC", "NFD"], odd_set: ImageSet, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    FORMATS[name].write(root, odd_set, copy_file)
    [image] = [path for path in root.rglob("*.PNG") if not path.name.isascii()]
    image.rename(image.with_name(unicodedata.normalize(form, image.name)))
    report = read(FolderData.model_validate({"root": root, "format": name}))
    assert report.problems == ()
    [labels] = report.images.table.set_index("width")["labels"].loc[[62]]
    np.testing.assert_allclose(labels.rows(), [[0, 0.5, 0.5, 1, 1]])


def test_labels_of_exactly_the_name_are_those_of_the_image(root: Path, draw: Draw) -> None:
    for seed, form in enumerate((NFC, NFD), start=1):
        draw(root / f"{form}.png", seed=seed)
        (root / f"{form}.txt").write_text(f"0 0.5 0.5 0.{seed} 0.5\n")
    report = read(FolderData(root=root))
    widths = {
        Path(uri).stem: labels.xywhn[0, 2]
        for uri, labels in report.images.table[["uri", "labels"]].itertuples(index=False)
    }
    assert (widths[NFC], widths[NFD]) == (0.1, 0.2)
    assert [problem.severity for problem in report.problems] == ["warning"] * 2


def test_labels_of_one_of_two_images_are_not_those_of_the_other(root: Path, draw: Draw) -> None:
    for seed, form in enumerate((NFC, NFD), start=1):
        draw(root / f"{form}.png", seed=seed)
    (root / f"{NFD}.txt").write_text(GOOD)
    report = read(FolderData(root=root))
    rows = report.images.table.set_index("uri")["labels"]
    assert rows[f"{root}/{NFC}.png"] is None
    assert len(rows[f"{root}/{NFD}.png"]) == 1
    assert any("another Unicode form" in problem.reason for problem in report.problems)
