"""An image is taken from a tool's files if all that was drawn in it is understood, or waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from backhaul.annotation.exchange.files import read_exchange
from backhaul.annotation.exchange.returned import Returned
from backhaul.annotation.waiting import WaitingImage, waiting_images
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from tests.waiting import CLASSES, SIZE

BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20]}
CVAT_BOX = '<box label="car" xtl="10" ytl="20" xbr="30.5" ybr="40"/>'


@pytest.fixture
def images(files: RunFiles, waiting: Callable[..., None]) -> list[WaitingImage]:
    """Two images that wait."""
    waiting(range(2))
    return waiting_images(files)


def coco(
    folder: Path, listing: Sequence[WaitingImage], *annotations: object, **changes: object
) -> Path:
    listed = [
        {"id": number, "file_name": f"{image.file.image_id}.png", "width": 200, "height": 100}
        for number, image in enumerate(listing, 1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    whole = {"images": listed, "annotations": annotations, "categories": categories}
    file = folder / "instances_default.json"
    file.write_text(json.dumps(whole | changes))
    return file


def cvat(folder: Path, images: Sequence[WaitingImage], *shapes: str) -> Path:
    listed = "".join(
        f'<image name="{image.file.image_id}.png" width="200" height="100">{some}</image>'
        for image, some in zip(images, shapes, strict=True)
    )
    file = folder / "annotations.xml"
    file.write_text(f"<annotations><version>1.1</version>{listed}</annotations>")
    return file


def xany(folder: Path, image: WaitingImage, *shapes: object, **changes: object) -> Path:
    whole = {"shapes": shapes, "imageWidth": SIZE[0], "imageHeight": SIZE[1]}
    file = folder / f"{image.file.image_id}.json"
    file.write_text(json.dumps(whole | changes))
    return file


def shape(kind: str, *points: tuple[float, float]) -> dict[str, object]:
    return {"label": "car", "shape_type": kind, "points": points}


def assert_waits(
    found: Returned, image: WaitingImage, others: Sequence[WaitingImage], file: Path
) -> None:
    """Check that an image waits, that a line names it and its file, and others do not wait."""
    assert set(found.labels) == {other.file.image_id for other in others}
    told = [str(p) for p in found.problems if p.severity == "error"]
    assert any(image.file.image_id in line and line.startswith(str(file)) for line in told)
    assert not any("backhaul-tmp" in line for line in map(str, found.problems))


@pytest.mark.parametrize(
    "wrong",
    [
        {"bbox": [1, 1, None, 5]},
        {"bbox": [1, 1, 5]},
        {"category_id": None},
        {"category_id": 9},
        {"bbox": [1, 1, 900, 5]},
        {"iscrowd": 1, "segmentation": {"size": [100, 200], "counts": [0, 20000]}},
    ],
)
def test_an_annotation_of_coco_that_is_not_read(
    wrong: dict[str, Any], images: list[WaitingImage], tmp_path: Path
) -> None:
    file = coco(tmp_path, images, BOX, BOX | {"id": 2} | wrong, BOX | {"id": 3, "image_id": 2})
    assert_waits(read_exchange(file, "coco", images, CLASSES), images[0], images[1:], file)


def test_a_category_that_the_run_has_not(images: list[WaitingImage], tmp_path: Path) -> None:
    names = ("_background_", "big bus", "car", "tram")
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    tram, bus = BOX | {"category_id": 3}, BOX | {"id": 2, "image_id": 2}
    file = coco(tmp_path, images, tram, bus, categories=categories)
    found = read_exchange(file, "coco", images, CLASSES)
    assert_waits(found, images[0], images[1:], file)
    assert found.labels[images[1].file.image_id].class_id.tolist() == [1]


def test_an_annotation_that_may_be_of_any_image(
    images: list[WaitingImage], tmp_path: Path
) -> None:
    file = coco(tmp_path, images, BOX, BOX | {"id": 2, "image_id": None})
    with pytest.raises(InputError, match="nothing was taken") as error:
        read_exchange(file, "coco", images, CLASSES)
    assert str(error.value).startswith(str(file))


def test_annotations_of_images_that_are_not_listed_are_of_no_other(
    images: list[WaitingImage], tmp_path: Path
) -> None:
    file = coco(tmp_path, images, BOX, BOX | {"id": 2, "image_id": 7, "bbox": 3})
    assert len(read_exchange(file, "coco", images, CLASSES).labels) == len(images)


def test_images_with_one_id(images: list[WaitingImage], tmp_path: Path) -> None:
    listed = [{"id": 1, "file_name": f"{image.file.image_id}.png"} for image in images]
    file = coco(tmp_path, images, BOX, images=listed)
    assert_waits(read_exchange(file, "coco", images, CLASSES), images[0], [], file)


def test_numbers_that_are_fractions(images: list[WaitingImage], tmp_path: Path) -> None:
    file = coco(tmp_path, images, BOX | {"bbox": [0.1, 0.1, 0.2, 0.2]})
    with pytest.raises(InputError, match="fractions"):
        read_exchange(file, "coco", images, CLASSES)


@pytest.mark.parametrize(
    "shapes",
    [
        CVAT_BOX + '<polyline label="car" points="1,1;9,9"/>',
        '<skeleton label="car"/>',
        '<points label="car" points="1,1"/>',
        CVAT_BOX.replace("car", "tram"),
        CVAT_BOX.replace("30.5", "nan"),
        CVAT_BOX.replace("30.5", "10"),
    ],
)
def test_a_shape_of_cvat_that_is_not_read(
    shapes: str, images: list[WaitingImage], tmp_path: Path
) -> None:
    file = cvat(tmp_path, images, shapes, CVAT_BOX)
    assert_waits(read_exchange(file, "cvat", images, CLASSES), images[0], images[1:], file)


def test_what_is_left_out_beside_a_box_is_told(
    images: list[WaitingImage], tmp_path: Path
) -> None:
    file = cvat(tmp_path, images, CVAT_BOX + CVAT_BOX.replace("30.5", "10"), CVAT_BOX)
    found = read_exchange(file, "cvat", images, CLASSES)
    assert {image_id: len(labels) for image_id, labels in found.labels.items()} == {
        image.file.image_id: 1 for image in images
    }
    assert [problem.severity for problem in found.problems] == ["warning"]
    assert "without area" in str(found.problems[0])


def test_a_file_that_is_cut_off(images: list[WaitingImage], tmp_path: Path) -> None:
    file = cvat(tmp_path, images, CVAT_BOX, CVAT_BOX)
    file.write_text(file.read_text()[:-30])
    with pytest.raises(InputError, match="nothing was taken") as error:
        read_exchange(file, "cvat", images, CLASSES)
    assert str(error.value).startswith(str(file))


def test_an_image_that_is_listed_twice(images: list[WaitingImage], tmp_path: Path) -> None:
    twice = [images[0], images[0], images[1]]
    file = cvat(tmp_path, twice, CVAT_BOX, "", CVAT_BOX)
    assert_waits(read_exchange(file, "cvat", images, CLASSES), images[0], images[1:], file)
    file = coco(tmp_path, twice, BOX)
    assert_waits(read_exchange(file, "coco", images, CLASSES), images[0], images[1:], file)


@pytest.mark.parametrize(
    ("points", "corners"),
    [
        (((100, 50), (120, 50)), (80, 30, 120, 70)),
        (((100, 50), (103, 54)), (95, 45, 105, 55)),
        (((190, 50), (190, 30)), (170, 30, 200, 70)),
    ],
)
def test_a_circle_is_its_centre_and_a_point_of_its_edge(
    points: Sequence[tuple[float, float]],
    corners: Sequence[float],
    images: list[WaitingImage],
    tmp_path: Path,
) -> None:
    xany(tmp_path, images[0], shape("circle", *points))
    found = read_exchange(tmp_path, "x-anylabeling", images, CLASSES)
    boxes = found.labels[images[0].file.image_id].xyxy(*SIZE)
    assert boxes[0].tolist() == pytest.approx(corners)


@pytest.mark.parametrize(
    ("shapes", "changes"),
    [
        ([shape("line", (1, 1), (9, 9))], {}),
        ([shape("rectangle", (1, 1), (9, 9)), shape("point", (5, 5))], {}),
        ([shape("linestrip", (1, 1), (9, 9), (9, 1))], {}),
        ([shape("rectangle", (1, 1), (9, 9), (9, 1))], {}),
        ([shape("polygon", (1, 1), (9, 9))], {}),
        ([shape("circle", (1, 1))], {}),
        ([shape("rectangle", (1, 1), (1, 9))], {}),
        ([shape("rectangle", (1, 1), (9, 9))], {"imageWidth": 2000, "imageHeight": 1000}),
        ([shape("rectangle", (1, 1), (9, 9))], {"imageWidth": -1}),
    ],
)
def test_a_file_of_x_anylabeling_that_is_not_understood(
    shapes: Sequence[object],
    changes: dict[str, object],
    images: list[WaitingImage],
    tmp_path: Path,
) -> None:
    file = xany(tmp_path, images[0], *shapes, **changes)
    xany(tmp_path, images[1])
    found = read_exchange(tmp_path, "x-anylabeling", images, CLASSES)
    assert_waits(found, images[0], images[1:], file)


def test_two_files_of_an_image(images: list[WaitingImage], tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    file = xany(tmp_path, images[0], shape("rectangle", (1, 1), (9, 9)))
    xany(tmp_path / "backup", images[0])
    found = read_exchange(tmp_path, "x-anylabeling", images, CLASSES)
    assert_waits(found, images[0], [], file)
