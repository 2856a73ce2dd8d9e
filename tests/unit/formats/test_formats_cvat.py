from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.data.formats import DataReport, detect, read
from backhaul.data.formats.files import scan
from backhaul.data.settings import FolderData
from backhaul.errors import InputError

Draw = Callable[..., Path]
BOX = '<box label="dog" xtl="16" ytl="12" xbr="48" ybr="36"/>'
META = "<meta><task><labels><label><name>{}</name></label></labels></task></meta>"


def image(shapes: str = "", name: str = "a.jpg", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="64" height="48" {more}>{shapes}</image>'


def put(path: Path, *nodes: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotations><version>1.1</version>{''.join(nodes)}</annotations>")
    return path


def read_nodes(root: Path, draw: Draw, *nodes: str) -> DataReport:
    draw(root / "images" / "a.jpg")
    put(root / "annotations.xml", *nodes)
    return read(FolderData(root=root))


def corners(report: DataReport, row: int = 0) -> list[float]:
    [box] = report.images.table["labels"][row].xyxy(64, 48).tolist()
    return [float(value) for value in box]


def test_listed_images_are_labelled_and_others_are_not(tmp_path: Path, draw: Draw) -> None:
    for seed, name in enumerate("bc", start=1):
        draw(tmp_path / "images" / f"{name}.jpg", seed=seed)
    report = read_nodes(tmp_path, draw, image(BOX), image(name="b.jpg"))
    assert report.problems == ()
    first, second, third = report.images.table["labels"]
    assert first.rows().tolist() == [[0, 0.5, 0.5, 0.5, 0.5]]
    assert len(second) == 0
    assert third is None


def test_classes_are_those_of_the_task_in_its_order(tmp_path: Path, draw: Draw) -> None:
    sublabel = "<label><name>nose</name><type>points</type><parent>dog</parent></label>"
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("zebra", "dog", "cat"))
    meta = f"<meta><job><labels>{labels}{sublabel}</labels></job></meta>"
    report = read_nodes(tmp_path, draw, meta, image(BOX))
    assert report.images.class_names == ("zebra", "dog", "cat")
    assert report.images.table["labels"][0].class_id.tolist() == [1]
    (tmp_path / "classes.txt").write_text("dog\n")
    assert read(FolderData(root=tmp_path)).images.class_names == ("dog",)


@pytest.mark.parametrize(
    ("shape", "expected", "n_outlines"),
    [
        ('<polygon label="dog" points="16,12;48,20;30,36"/>', (16, 12, 48, 36), 1),
        ('<ellipse label="dog" cx="32" cy="24" rx="16" ry="12"/>', (16, 12, 48, 36), 0),
        (
            '<ellipse label="dog" cx="32" cy="24" rx="12" ry="16" rotation="90"/>',
            (16, 12, 48, 36),
            0,
        ),
        (BOX.replace("/>", ' rotation="90"/>'), (20, 8, 44, 40), 1),
        (BOX.replace("/>", ' rotation="0.00"/>'), (16, 12, 48, 36), 0),
    ],
)
def test_the_box_around_a_shape_is_read(
    shape: str, expected: tuple[float, ...], n_outlines: int, tmp_path: Path, draw: Draw
) -> None:
    report = read_nodes(tmp_path, draw, image(shape))
    assert report.errors == ()
    assert corners(report) == pytest.approx(expected)
    polygons = report.images.table["labels"][0].polygons
    assert (0 if polygons is None else len(polygons)) == n_outlines


def test_a_box_turned_by_less_is_as_wide_as_its_corners_reach(
    tmp_path: Path, draw: Draw
) -> None:
    shape = '<box label="dog" xtl="22" ytl="19" xbr="42" ybr="29" rotation="30"/>'
    report = read_nodes(tmp_path, draw, image(shape))
    half_w = 10 * math.cos(math.pi / 6) + 5 * 0.5
    half_h = 10 * 0.5 + 5 * math.cos(math.pi / 6)
    expected = [32 - half_w, 24 - half_h, 32 + half_w, 24 + half_h]
    assert corners(report) == pytest.approx(expected)
    first = report.images.table["labels"][0].polygons[0][0] * [64, 48]  # its upper left corner
    turned = (32 - 10 * math.cos(math.pi / 6) + 5 * 0.5, 24 - 10 * 0.5 - 5 * 0.8660254)
    assert first.tolist() == pytest.approx(turned)


def test_what_a_turned_box_has_over_the_edge_is_cut_off(tmp_path: Path, draw: Draw) -> None:
    shape = '<box label="dog" xtl="0" ytl="0" xbr="20" ybr="10" rotation="45"/>'
    report = read_nodes(tmp_path, draw, image(shape))
    assert report.errors == ()
    assert corners(report)[:2] == [0, 0]
    outside = '<box label="dog" xtl="60" ytl="0" xbr="80" ybr="10" rotation="45"/>'
    [problem] = read_nodes(tmp_path, draw, image(outside)).errors
    assert "box out of range" in problem.reason


def test_shapes_without_a_box_are_counted(tmp_path: Path, draw: Draw) -> None:
    shapes = (
        '<polyline label="dog" points="1,1;2,2"/>' * 2
        + '<points label="dog" points="1,1"/>'
        + '<tag label="dog"/>'
        + BOX.replace("/>", ' outside="1"/>')
        + BOX
    )
    report = read_nodes(tmp_path, draw, image(shapes))
    [problem] = report.problems
    assert problem.severity == "warning"
    assert problem.reason == (
        "shapes of which no box is known, left out: 1 outside of the image, 1 points, "
        "2 polyline, 1 tag"
    )
    assert len(report.images.table["labels"][0]) == 1


@pytest.mark.parametrize("shape", ['<points label="dog" points="1,1"/>', '<tag label="dog"/>'])
def test_an_image_of_which_no_shape_is_read_is_no_background(
    shape: str, tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "images" / "b.jpg", seed=1)
    outside = BOX.replace("/>", ' outside="1"/>')
    report = read_nodes(
        tmp_path, draw, META.format("dog"), image(shape), image(outside, name="b.jpg")
    )
    first, second = report.images.table["labels"]
    assert first is None
    assert len(second) == 0
    assert [(problem.severity, problem.reason[:38]) for problem in report.problems] == [
        ("warning", "shapes of which no box is known, left o"[:38]),
        ("note", "1 images have none but shapes left out"),
    ]


@pytest.mark.parametrize("content", ["<note/>", "<annotation><object/></annotation>", ""])
def test_xml_that_is_not_of_cvat_is_not_taken_for_it(
    content: str, tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "classes.txt").write_text("dog\n")
    (tmp_path / "notes.xml").write_text(
        f"<?xml version='1.0'?><!-- <image/> --><annotations>{content}</annotations>"
    )
    assert detect(scan(tmp_path)) == "yolo"


def test_a_mask_is_read_as_the_box_that_it_gives(tmp_path: Path, draw: Draw) -> None:
    mask = '<mask label="dog" rle="1, 2" left="1" top="2" width="4" height="6"/>'
    report = read_nodes(tmp_path, draw, image(mask))
    assert report.problems == ()
    assert corners(report) == [1, 2, 5, 8]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (image(BOX.replace('"16"', '"x"')), "expected finite numbers as xtl, ytl, xbr, ybr"),
        (image(BOX.replace('"16"', '"16,5"')), "expected finite numbers as xtl, ytl, xbr, ybr"),
        (image('<polygon label="dog" points="1,1;2,2"/>'), "expected a polygon of three"),
        (image('<ellipse label="dog" cx="1" cy="1"/>'), "expected finite numbers as cx, cy"),
        (image(BOX.replace('label="dog"', "")), "no class of the class list"),
        (image(BOX.replace('"48"', '"70"')), "box out of range: x from 16 to 70 px"),
        (image(BOX).replace('width="64"', 'width="65"'), "is listed as (65, 48)"),
        (image(BOX).replace('width="64"', 'width="6x"'), "expected whole numbers of pixels"),
        (image(BOX, name=""), "expected images with a name"),
        (image(BOX) * 2, "image 'a.jpg' is listed twice"),
        (image(BOX) + "<image", "expected XML"),
        ("<track id='0' label='dog'/>" * 3, "3 tracks: this is CVAT for video"),
    ],
)
def test_what_is_wrong_is_an_error(node: str, reason: str, tmp_path: Path, draw: Draw) -> None:
    [problem, *_] = read_nodes(tmp_path, draw, META.format("dog"), node).errors
    assert Path(problem.path).name == "annotations.xml"
    assert reason in problem.reason


def test_images_of_one_name_are_told_apart_by_folder_or_subset(
    tmp_path: Path, draw: Draw
) -> None:
    for seed, subset in enumerate(("train", "val")):
        draw(tmp_path / "images" / subset / "a.jpg", seed=seed)
    path = put(tmp_path / "annotations.xml", image(BOX, "val/a.jpg"))
    assert len(read(FolderData(root=tmp_path)).images.labelled()) == 1
    put(path, image(BOX, more='subset="val"'), image("", more='subset="train"'))
    report = read(FolderData(root=tmp_path))
    assert report.problems == ()
    assert [len(labels) for labels in report.images.table["labels"]] == [0, 1]
    put(path, META.format("dog"), image(BOX))
    [problem] = read(FolderData(root=tmp_path)).errors
    assert "which image is it about?" in problem.reason
    assert "train/a.jpg" in problem.reason


def test_an_image_that_is_not_there_is_a_warning(tmp_path: Path, draw: Draw) -> None:
    [problem] = read_nodes(tmp_path, draw, image(BOX), image(BOX, "gone.jpg")).problems
    assert (problem.severity, problem.reason) == (
        "warning",
        "image 'gone.jpg' not found, left out",
    )


def test_several_tasks_are_one_set(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "b.jpg", seed=1)
    put(tmp_path / "task2" / "annotations.xml", META.format("cat"), image("", "b.jpg"))
    report = read_nodes(tmp_path, draw, META.format("dog"), image(BOX))
    assert report.problems == ()
    assert report.images.class_names == ("dog", "cat")
    assert len(report.images.labelled()) == 2
    put(tmp_path / "task2" / "annotations.xml", image("", "a.jpg"))
    [problem] = read(FolderData(root=tmp_path)).errors
    assert problem.reason.endswith("annotations.xml too")


def test_beside_pascal_voc_it_is_named(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "a.jpg")
    draw(tmp_path / "b.jpg", seed=1)
    put(tmp_path / "b.xml", image(BOX, "b.jpg"))
    thing = "<name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
    (tmp_path / "a.xml").write_text(
        f"<annotation><object>{thing}</bndbox></object></annotation>"
    )
    with pytest.raises(InputError, match=r"several formats \(voc, cvat\)"):
        detect(scan(tmp_path))
    [problem] = read(FolderData(root=tmp_path, format="voc")).problems
    assert (problem.path, problem.severity) == (f"{tmp_path}/b.xml", "warning")
    assert problem.reason == "is in CVAT's own format (cvat), not Pascal VOC: passed over"


@pytest.mark.timeout(60)
def test_entities_are_refused(tmp_path: Path, draw: Draw) -> None:
    lol = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
    draw(tmp_path / "a.jpg")
    path = tmp_path / "annotations.xml"
    path.write_text(f"<!DOCTYPE x [{lol}]><annotations><image name='&l9;'/></annotations>")
    assert detect(scan(tmp_path)) == "cvat"
    with pytest.raises(InputError, match=r"no image in a file of CVAT.*EntitiesForbidden"):
        read(FolderData(root=tmp_path))
