"""Images that labels name and that are not there: told once a file, not one by one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.data.formats import read
from backhaul.data.settings import FolderData

Draw = Callable[..., Path]
CORNERS = "4,4,8,8"


def write_coco(root: Path, names: list[str]) -> Path:
    content = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9]}],
    }
    path = root / "instances.json"
    path.write_text(json.dumps(content))
    return path


def write_cvat(root: Path, names: list[str]) -> Path:
    box = '<box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    nodes = "".join(f'<image name="{name}">{box}</image>' for name in names)
    path = root / "annotations.xml"
    path.write_text(f"<annotations><version>1.1</version>{nodes}</annotations>")
    return path


def write_csv(root: Path, names: list[str]) -> Path:
    rows = "".join(f"{name},car,{CORNERS}\n" * 2 for name in names)
    path = root / "labels.csv"
    path.write_text(f"filename,class,xmin,ymin,xmax,ymax\n{rows}")
    return path


def write_list(root: Path, names: list[str]) -> Path:
    (root / "data.yaml").write_text("train: train.txt\nnames: [car]\n")
    path = root / "train.txt"
    path.write_text("\n".join(names))
    return path


WRITERS = {"coco": write_coco, "cvat": write_cvat, "csv": write_csv, "list": write_list}


@pytest.mark.parametrize("kind", WRITERS)
def test_missing_images_are_one_warning_with_their_number_and_the_first_names(
    kind: str, tmp_path: Path, draw: Draw
) -> None:
    there = [draw(tmp_path / f"{i}.png", seed=i).name for i in range(6)]
    gone = [f"gone{i}.jpg" for i in range(5)]
    path = WRITERS[kind](tmp_path, [*there, *gone])
    told = [each for each in read(FolderData(root=tmp_path)).problems if each.path == str(path)]
    [warning] = [each for each in told if "gone" in each.reason]
    assert warning.severity == "warning"
    assert warning.reason.startswith("5 ")
    assert [name in warning.reason for name in gone] == [True] * 3 + [False] * 2
    assert warning.line == {"csv": 14, "list": 7}.get(kind)


def test_a_list_of_which_most_is_missing_is_read_to_its_end_and_soon(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "images" / "a.png")
    lines = [f"/old/machine/set/{i % 100}/images/{i}.jpg" for i in range(20_000)]
    write_list(tmp_path, [*lines, "images/a.png", "text of somebody"])
    before = time.process_time()
    report = read(FolderData(root=tmp_path))
    assert time.process_time() - before < 5
    assert len(report.images) == 1
    error, warning = [each for each in report.problems if each.path.endswith("train.txt")]
    assert warning.reason.startswith("20001 lines (/old/machine/set/0/images/0.jpg, ")
    assert error.reason == "20001 of 20002 lines lead to no image"
    assert "text of" not in "".join(each.reason for each in report.problems)


def test_annotations_of_voc_without_an_image_are_one_warning_a_folder(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "a.png")
    for name in "abcde":
        (tmp_path / f"{name}.xml").write_text(
            "<annotation><object><name>car</name><bndbox><xmin>4</xmin><ymin>4</ymin>"
            "<xmax>8</xmax><ymax>8</ymax></bndbox></object></annotation>"
        )
    [problem] = read(FolderData(root=tmp_path)).problems
    assert problem.severity == "warning"
    assert problem.reason == "4 .xml files (b.xml, c.xml, d.xml, ...): labels without an image"
