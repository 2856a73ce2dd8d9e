"""Names that differ in their Unicode form alone are one name, unless two files have them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from backhaul.data.formats import DataReport, read
from backhaul.data.pathindex import PathIndex
from backhaul.data.settings import FolderData

Draw = Callable[..., Path]
Form = Literal["NFC", "NFD"]
FORMS: tuple[Form, Form] = ("NFC", "NFD")
GOOD = "0 0.5 0.5 0.25 0.5\n"
CROSSED = pytest.mark.parametrize(("labels", "files"), [FORMS, FORMS[::-1]])


def named(form: Form, name: str = "Über") -> str:
    return unicodedata.normalize(form, name)


def said(report: DataReport) -> str:
    return "\n".join(map(str, report.problems))


def coco(root: Path, *names: str) -> DataReport:
    ids = range(1, len(names) + 1)
    content = {
        "images": [{"id": i, "file_name": name} for i, name in zip(ids, names, strict=True)],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [1, 1, 10 * i, 9]} for i in ids
        ],
    }
    (root / "instances_all.json").write_text(json.dumps(content))
    return read(FolderData(root=root))


@CROSSED
def test_a_folder_that_a_label_file_names_is_found(
    labels: Form, files: Form, tmp_path: Path, draw: Draw
) -> None:
    for seed, folder in enumerate((named(files), "other")):
        draw(tmp_path / "images" / folder / "a.jpg", seed=seed)
    report = coco(tmp_path, f"{named(labels)}/a.jpg", "other/a.jpg")
    assert report.problems == ()
    assert len(report.images.labelled()) == 2


@CROSSED
def test_an_annotation_of_voc_in_another_form_is_that_of_its_own_folder(
    labels: Form, files: Form, tmp_path: Path, draw: Draw
) -> None:
    voc = (
        "<annotation><object><name>{}</name><bndbox><xmin>4</xmin><ymin>4</ymin>"
        "<xmax>8</xmax><ymax>8</ymax></bndbox></object></annotation>"
    )
    for seed, day in enumerate(("1", "2")):
        draw(tmp_path / day / "JPEGImages" / f"{named(files)}.jpg", seed=seed)
        (tmp_path / day / "Annotations").mkdir()
        (tmp_path / day / "Annotations" / f"{named(labels)}.xml").write_text(voc.format(day))
    report = read(FolderData(root=tmp_path))
    assert report.problems == ()
    assert [each.class_id.tolist() for each in report.images.table["labels"]] == [[0], [1]]


def test_of_two_images_the_one_of_exactly_the_name_counts_and_both_are_named(
    tmp_path: Path, draw: Draw
) -> None:
    for seed, form in enumerate(FORMS):
        draw(tmp_path / f"{named(form)}.png", seed=seed)
    report = coco(tmp_path, *(f"{named(form)}.png" for form in FORMS))
    widths = {
        Path(uri).stem: round(labels.xywhn[0, 2] * 64)
        for uri, labels in report.images.table[["uri", "labels"]].itertuples(index=False)
    }
    assert widths == {named("NFC"): 10, named("NFD"): 20}
    assert [problem.severity for problem in report.problems] == ["warning", "warning"]
    assert "in another Unicode form" in said(report)


def test_two_images_in_other_forms_than_the_label_are_an_error(
    tmp_path: Path, draw: Draw
) -> None:
    both = named("NFD", "é") + named("NFC", "é")
    for seed, form in enumerate(FORMS):
        draw(tmp_path / f"{named(form, 'éé')}.png", seed=seed)
    report = coco(tmp_path, f"{both}.png")
    [error] = report.errors
    assert "which image is it about?" in error.reason
    assert "\\xe9" in error.reason
    assert "e\\u0301" in error.reason


@CROSSED
@pytest.mark.parametrize("path", ["{}/images", "/another/machine/{}/images", "{}.txt"])
def test_a_path_of_a_data_yaml_is_found_in_any_form(
    path: str, labels: Form, files: Form, tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / named(files) / "images" / f"{named(files)}.png")
    (tmp_path / named(files) / "labels").mkdir()
    (tmp_path / named(files) / "labels" / f"{named(labels)}.txt").write_text(GOOD)
    line = f"{named(labels)}/images/{named(labels)}.png\n"
    (tmp_path / f"{named(files)}.txt").write_text(line)
    yaml = f"train: {path.format(named(labels))}\nnames: [a]\n"
    (tmp_path / "data.yaml").write_text(yaml)
    report = read(FolderData(root=tmp_path))
    assert not report.errors
    assert [problem.severity for problem in report.problems] == (
        ["note"] if path.startswith("/") else []
    )
    assert len(report.images.labelled()) == 1


def test_a_line_that_two_files_have_in_other_forms_is_not_guessed(
    tmp_path: Path, draw: Draw
) -> None:
    both = named("NFD", "é") + named("NFC", "é")
    for seed, form in enumerate(FORMS):
        draw(tmp_path / "images" / f"{named(form, 'éé')}.png", seed=seed)
    draw(tmp_path / "images" / "a.png", seed=2)
    (tmp_path / "train.txt").write_text(f"images/{both}.png\nimages/a.png\n")
    (tmp_path / "data.yaml").write_text("train: train.txt\nnames: [a]\n")
    report = read(FolderData(root=tmp_path))
    assert "which differ in their Unicode form alone; expected one of them" in said(report)
    assert len(report.images) == 1


@CROSSED
def test_a_line_of_a_plain_list_is_found_in_any_form(labels: Form, files: Form) -> None:
    index = PathIndex([f"/d/{named(files)}/{named(files)}.png", "/d/a/b.png"])
    assert index.find(f"C:\\old\\{named(labels)}\\{named(labels)}.png") == ([0], 2)
    both = PathIndex([f"/d/{named(files)}.png", f"/d/{named(labels)}.png"])
    assert both.find(f"/d/{named(labels)}.png")[0] == [1]
