from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from backhaul.data.formats import DataReport, coco, read
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

Draw = Callable[..., Path]
CATEGORIES = [{"id": 90, "name": "cat"}, {"id": 3, "name": "dog"}]


def dump(
    path: Path, images: list[Any], annotations: list[Any], categories: Any = CATEGORIES
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content))
    return path


def box(image_id: int = 1, category_id: int = 3, **more: object) -> dict[str, Any]:
    bbox = [16, 12, 32, 24]
    known = {"image_id": image_id, "category_id": category_id, "bbox": bbox}
    return known | {"iscrowd": 0, "segmentation": []} | more


IMAGE = {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}


def read_boxes(root: Path, draw: Draw, *annotations: dict[str, Any]) -> DataReport:
    draw(root / "images" / "a.jpg")
    numbered = [{"id": 7 - place} | each for place, each in enumerate(reversed(annotations))]
    dump(root / "annotations" / "instances_train.json", [IMAGE], numbered[::-1])
    return read(FolderData(root=root))


def test_categories_are_numbered_in_the_order_of_their_ids(tmp_path: Path, draw: Draw) -> None:
    report = read_boxes(tmp_path, draw, box(), box(category_id=90))
    assert report.images.class_names == ("dog", "cat")
    assert report.images.table["labels"][0].rows().tolist() == [
        [0, 0.5, 0.5, 0.5, 0.5],
        [1, 0.5, 0.5, 0.5, 0.5],
    ]


def test_a_file_of_names_sets_the_order_and_must_be_complete(
    tmp_path: Path, draw: Draw
) -> None:
    read_boxes(tmp_path, draw, box())
    names = tmp_path / "names.txt"
    names.write_text("bird\ncat\ndog\n")
    report = read(FolderData(root=tmp_path, names=names))
    assert report.images.class_names == ("bird", "cat", "dog")
    assert report.images.table["labels"][0].class_id[0] == 2
    names.write_text("cat\n")
    with pytest.raises(InputError, match=r"names\.txt: category 'dog' is missing"):
        read(FolderData(root=tmp_path, names=names))


def test_crowds_are_left_out_with_a_warning(tmp_path: Path, draw: Draw) -> None:
    report = read_boxes(tmp_path, draw, box(), box(iscrowd=1, bbox=[0, 0, 64, 48]))
    assert len(report.images.table["labels"][0]) == 1
    [problem] = report.problems
    assert (problem.severity, problem.reason) == ("warning", "1 crowd annotations left out")


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (box(image_id=9), "annotation 7: expected the image_id of an image"),
        (box(bbox=[1, 2, 3]), "and a bbox of 4 numbers"),
        (box(bbox=None), "and a bbox of 4 numbers"),
        (box(bbox=["x", 1, 2, 3]), "and a bbox of 4 numbers"),
        ({"image_id": 1}, "annotation 7: expected"),
        (box(category_id=4), "annotation 7: category 4 is not in the file"),
        (box(bbox=[60, 0, 9, 9]), "annotation 7: box out of range: x from 60 to 69 px"),
        (box(bbox=[6, 6, -3, 3]), "annotation 7: negative width or height"),
    ],
)
def test_a_bad_annotation_is_an_error(
    tmp_path: Path, draw: Draw, annotation: dict[str, Any], reason: str
) -> None:
    report = read_boxes(tmp_path, draw, box(), annotation)
    [problem] = report.problems
    assert problem.path == (tmp_path / "annotations" / "instances_train.json").as_posix()
    assert problem.severity == "error"
    assert reason in problem.reason
    assert len(report.images.table["labels"][0]) == 1


def test_a_box_without_area_is_a_warning(tmp_path: Path, draw: Draw) -> None:
    [problem] = read_boxes(tmp_path, draw, box(bbox=[6, 6, 0, 3])).problems
    assert problem.severity == "warning"


def test_listed_images_have_no_objects_and_others_are_unlabelled(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "images" / "b.jpg", seed=1)
    labels = read_boxes(tmp_path, draw).images.table["labels"]
    assert len(labels[0]) == 0
    assert labels[1] is None


def test_an_image_of_another_size_than_listed_is_an_error(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "images" / "a.jpg", width=32)
    dump(tmp_path / "instances.json", [IMAGE], [box()])
    [problem] = read(FolderData(root=tmp_path)).problems
    assert problem.severity == "error"
    assert "listed as (64, 48), but is (32, 48)" in problem.reason


def test_images_that_are_not_there_are_a_warning(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "images" / "a.jpg")
    gone = {"id": 2, "file_name": "gone.jpg"}
    dump(tmp_path / "instances.json", [IMAGE, gone], [box(), box(image_id=2)])
    report = read(FolderData(root=tmp_path))
    report.require_clean()
    assert report.problems[0].reason == "image 'gone.jpg' not found, left out"


def test_an_image_listed_twice_is_an_error(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "a.jpg")
    dump(tmp_path / "instances.json", [IMAGE, IMAGE | {"id": 2}], [box()])
    assert "listed twice" in read(FolderData(root=tmp_path)).problems[0].reason


def test_subsets_with_equal_file_names_are_told_apart(tmp_path: Path, draw: Draw) -> None:
    for seed, subset in enumerate(("train2017", "val2017")):
        draw(tmp_path / "images" / subset / "a.jpg", seed=seed)
        annotation = box(category_id=(90, 3)[seed])
        dump(tmp_path / "annotations" / f"instances_{subset}.json", [IMAGE], [annotation])
    dump(tmp_path / "annotations" / "person_keypoints_train2017.json", [], [], [])
    report = read(FolderData(root=tmp_path))
    assert [problem.severity for problem in report.problems] == ["note"]
    assert [labels.class_id[0] for labels in report.images.table["labels"]] == [1, 0]


def test_a_file_of_another_name_beside_its_images_is_recognised(
    tmp_path: Path, draw: Draw
) -> None:
    for seed, subset in enumerate(("train", "valid")):
        draw(tmp_path / subset / "a.jpg", seed=seed)
        dump(tmp_path / subset / "_annotations.coco.json", [IMAGE], [box()])
    (tmp_path / "package.json").write_text("{}")
    report = read(FolderData(root=tmp_path))
    assert [problem.severity for problem in report.problems] == ["note"]
    assert len(report.images.labelled()) == 2


def test_an_image_is_found_by_its_name_if_the_path_is_of_another_machine(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "photos" / "2024" / "a.jpg")
    dump(tmp_path / "instances.json", [IMAGE | {"file_name": "D:\\data\\a.jpg"}], [box()])
    assert len(read(FolderData(root=tmp_path)).images.table["labels"][0]) == 1


@pytest.mark.parametrize(
    ("categories", "reason"),
    [
        ([], "expected categories, each id once"),
        ([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], "expected categories, each id once"),
        ([{"id": 1, "name": "a"}, {"id": "1", "name": "b"}], "'a' and 'b' have the id 1"),
        ([{"name": "a"}], "expected categories with a name, and an id"),
        ([{"id": None, "name": "a"}], "expected categories with a name, and an id"),
        ([{"id": 1, "name": None}], "expected categories with a name, and an id"),
        ({}, "expected the lists images, annotations, categories"),
        (["a"], "expected a COCO file with the lists"),
    ],
)
def test_wrong_categories_are_refused(
    tmp_path: Path, draw: Draw, categories: object, reason: str
) -> None:
    draw(tmp_path / "a.jpg")
    dump(tmp_path / "instances.json", [IMAGE], [], categories)
    with pytest.raises(InputError, match=reason):
        read(FolderData(root=tmp_path, format="coco"))


def test_files_with_other_categories_are_refused(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "a.jpg")
    dump(tmp_path / "instances_a.json", [IMAGE], [])
    dump(tmp_path / "instances_b.json", [], [], CATEGORIES[:1])
    with pytest.raises(InputError, match=r"instances_b\.json: its categories differ"):
        read(FolderData(root=tmp_path))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "a.jpg")
    (tmp_path / "instances.json").write_text("{")
    with pytest.raises(InputError, match=r"instances\.json: not JSON"):
        read(FolderData(root=tmp_path))


def test_without_a_coco_file_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no COCO file"):
        read(FolderData(root=tmp_path, format="coco"))


def test_pycocotools_reads_what_is_written(odd_set: ImageSet, tmp_path: Path) -> None:
    coco.write(tmp_path / "written", odd_set)
    truth = COCO(str(tmp_path / "written" / "annotations" / "instances.json"))
    names = {category["id"]: category["name"] for category in truth.loadCats(truth.getCatIds())}
    listed = {(image["width"], image["height"]): image for image in truth.imgs.values()}
    labelled = odd_set.labelled().table
    assert len(listed) == len(labelled) == 7
    for width, height, labels in labelled[["width", "height", "labels"]].itertuples(
        index=False, name=None
    ):
        image = listed[width, height]
        assert (tmp_path / "written" / "images" / image["file_name"]).is_file()
        found = truth.loadAnns(truth.getAnnIds(imgIds=image["id"]))
        expected = [odd_set.class_names[int(class_id)] for class_id in labels.class_id]
        assert [names[annotation["category_id"]] for annotation in found] == expected
        corners = np.array([annotation["bbox"] for annotation in found]).reshape(-1, 4)
        centres = (corners[:, :2] + corners[:, 2:] / 2) / [width, height]
        np.testing.assert_allclose(centres, labels.xywhn[:, :2])
        np.testing.assert_allclose(corners[:, 2:] / [width, height], labels.xywhn[:, 2:])


OUTLINE = [16, 12, 48, 12, 48, 36]


@pytest.mark.parametrize(
    ("segmentation", "n_lost", "n_outlines"),
    [
        ([[1, 2, 3, 4]], 1, 0),
        ([[*OUTLINE, 5]], 1, 0),
        ([OUTLINE, [1, 2]], 1, 1),
        ([OUTLINE, "text", [None] * 6], 2, 1),
        ({"counts": "abc"}, 1, 0),
        ({"size": [48, 64], "counts": {"0": 1}}, 1, 0),
        ("mask.png", 1, 0),
        ({"size": [48, 64], "counts": "abc"}, 0, 0),
        ([], 0, 0),
        ({}, 0, 0),
        (None, 0, 0),
        ([OUTLINE], 0, 1),
        (OUTLINE, 0, 1),
    ],
)
def test_what_is_no_outline_of_a_segmentation_is_noted_and_the_box_stays(
    segmentation: object, n_lost: int, n_outlines: int, tmp_path: Path, draw: Draw
) -> None:
    report = read_boxes(tmp_path, draw, box(segmentation=segmentation), box(category_id=90))
    notes = [each for each in report.problems if "have an outline" not in each.reason]
    assert [each.severity for each in notes] == ["note"] * bool(n_lost)
    assert all(each.reason.startswith(f"{n_lost} parts of segmentations") for each in notes)
    [labels] = report.images.table["labels"]
    assert labels.rows()[0].tolist() == [0, 0.5, 0.5, 0.5, 0.5]
    outlines = [each for each in labels.polygons or () if each is not None]
    assert len(outlines) == n_outlines


def test_an_outline_of_another_size_of_the_image_is_noted_and_the_box_stays(
    tmp_path: Path, draw: Draw
) -> None:
    far = [[10 * value for value in OUTLINE]]
    report = read_boxes(
        tmp_path,
        draw,
        box(segmentation=far),
        box(category_id=90, segmentation=far),
        box(category_id=90, bbox=[1, 1, 9, 9], segmentation=[[-5, 2, 9, 2, 9, 9]]),
    )
    [labels] = report.images.table["labels"]
    assert len(labels) == 3
    assert [outline is not None for outline in labels.polygons or ()] == [False, False, True]
    [kept, note] = sorted(report.problems, key=lambda problem: problem.reason[1] == "n")
    assert "1 objects in 1 images have an outline" in kept.reason
    assert note.severity == "note"
    assert note.reason.startswith("an outline reaches far out of its image")
    assert note.reason.endswith("(2 in all)")


@pytest.mark.parametrize(
    ("start", "encoding"),
    [
        ("\ufeff", "utf-8"),
        ("\n" * 100, "utf-8"),
        ("\ufeff \r\n\t", "utf-8"),
        ("", "utf-16"),
        ("", "utf-16-le"),
    ],
)
def test_a_file_is_recognised_however_it_begins(
    start: str, encoding: str, tmp_path: Path, draw: Draw
) -> None:
    read_boxes(tmp_path, draw, box())
    path = tmp_path / "annotations" / "instances_train.json"
    path.rename(path.with_name("labels.json"))
    path = path.with_name("labels.json")
    path.write_bytes(
        f"{start if encoding == 'utf-8' else ''}{path.read_text()}\n".encode(encoding)
    )
    report = read(FolderData(root=tmp_path))
    assert report.problems == ()
    assert len(report.images.labelled()) == 1
