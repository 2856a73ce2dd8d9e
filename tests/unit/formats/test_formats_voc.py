from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from backhaul.data.formats import DataReport, read, voc
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

Draw = Callable[..., Path]


def thing(name: str, *corners: object) -> str:
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=False)
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags)
    return f"<object><name>{name}</name><difficult>1</difficult><bndbox>{box}</bndbox></object>"


def annotate(path: Path, *things: str, size: str = "", filename: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = f"<filename>{filename}</filename><size>{size}</size>{''.join(things)}"
    path.write_text(f"<annotation>{body}</annotation>", encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path, draw: Draw) -> Path:
    draw(tmp_path / "JPEGImages" / "a.jpg")
    annotate(tmp_path / "Annotations" / "a.xml", thing("dog", 16, 12, 48, 36))
    return tmp_path


def read_things(root: Path, *things: str, size: str = "") -> DataReport:
    annotate(root / "Annotations" / "a.xml", thing("dog", 16, 12, 48, 36), *things, size=size)
    return read(FolderData(root=root))


def test_corners_are_edges_in_pixels(root: Path) -> None:
    report = read(FolderData(root=root))
    assert report.images.table["labels"][0].rows().tolist() == [[0, 0.5, 0.5, 0.5, 0.5]]


def test_names_are_collected_and_sorted(root: Path) -> None:
    report = read_things(root, thing("cat", 0, 0, 9.5, 9), thing("über dog", 0, 0, 9, 9))
    assert report.images.class_names == ("cat", "dog", "über dog")
    assert report.images.table["labels"][0].class_id.tolist() == [1, 0, 2]


def test_a_file_of_names_sets_their_order_and_is_complete(root: Path) -> None:
    names = root / "names.txt"
    names.write_text("zebra\ndog\n")
    report = read(FolderData(root=root, names=names))
    assert report.images.class_names == ("zebra", "dog")
    names.write_text("zebra\n")
    [problem] = read(FolderData(root=root, names=names)).problems
    assert problem.severity == "error"
    assert problem.reason == "object 1 (dog): no class of the class list"


def test_parts_of_objects_are_no_objects(root: Path) -> None:
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    report = read_things(
        root, thing("dog", 1, 1, 9, 9).replace("</object>", f"{part}</object>")
    )
    assert report.problems == ()
    assert report.images.class_names == ("dog",)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (thing("dog", 1, 1, 9), "expected a bndbox with xmin, ymin, xmax, ymax"),
        (thing("dog", 1, 1, 9, "x"), "expected a bndbox with xmin, ymin, xmax, ymax"),
        ("<object><name>dog</name></object>", "expected a bndbox"),
        (thing("dog", 9, 1, 1, 9), "negative width or height"),
        (
            thing("dog", 60, 1, 66, 9),
            "box out of range: x from 60 to 66 px, expected within 0 to 64",
        ),
        (thing("", 1, 1, 9, 9), "no class of the class list"),
    ],
)
def test_a_bad_object_is_an_error(root: Path, node: str, reason: str) -> None:
    report = read_things(root, node)
    [problem] = report.problems
    assert problem.path == (root / "Annotations" / "a.xml").as_posix()
    assert problem.severity == "error"
    assert problem.reason.startswith("object 2 (")
    assert reason in problem.reason
    assert len(report.images.table["labels"][0]) == 1


def test_boxes_of_either_way_to_count_pixels_are_clipped(root: Path) -> None:
    report = read_things(root, thing("dog", -1, 0, 63, 48), thing("dog", 1, 1, 65, 49))
    assert report.problems == ()


def test_an_image_of_another_size_than_annotated_is_an_error(root: Path) -> None:
    size = "<width>48</width><height>64</height>"
    report = read_things(root, size=size)
    assert "annotated at (48, 64), but the image is (64, 48)" in report.problems[0].reason
    assert report.images.table["labels"][0] is None


def test_a_size_of_nought_says_nothing(root: Path) -> None:
    assert read_things(root, size="<width>0</width><height>0</height>").problems == ()


def test_broken_xml_is_an_error(root: Path, draw: Draw) -> None:
    draw(root / "JPEGImages" / "b.jpg", seed=1)
    (root / "Annotations" / "b.xml").write_text("<annotation><object>")
    [problem] = read(FolderData(root=root)).problems
    assert (Path(problem.path).name, problem.severity) == ("b.xml", "error")
    assert "expected XML" in problem.reason


def test_annotations_beside_images_in_several_folders(tmp_path: Path, draw: Draw) -> None:
    for seed, subset in enumerate(("train", "test")):
        draw(tmp_path / subset / "a.png", seed=seed)
        annotate(tmp_path / subset / "a.xml", thing(subset, 0, 0, 9, 9))
    draw(tmp_path / "train" / "b.png", seed=2)
    report = read(FolderData(root=tmp_path))
    assert report.problems == ()
    table, names = report.images.table, report.images.class_names
    found = {
        Path(uri).relative_to(tmp_path).as_posix(): None
        if labels is None
        else labels.class_id[0]
        for uri, labels in zip(table["uri"], table["labels"], strict=True)
    }
    assert names == ("test", "train")
    assert found == {"test/a.png": 0, "train/a.png": 1, "train/b.png": None}


def test_an_annotation_elsewhere_is_found_by_its_stem_or_its_file_name(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "photos" / "a.x.png")
    draw(tmp_path / "photos" / "b.png", seed=1)
    annotate(tmp_path / "xml" / "a.x.xml", thing("dog", 0, 0, 9, 9), filename="other.jpg")
    annotate(
        tmp_path / "xml" / "77.xml", thing("cat", 0, 0, 9, 9), filename="C:\\photos\\b.jpeg"
    )
    annotate(tmp_path / "xml" / "lost.xml", thing("cat", 0, 0, 9, 9), filename="lost.jpg")
    report = read(FolderData(root=tmp_path))
    assert [labels.class_id[0] for labels in report.images.table["labels"]] == [1, 0]
    [problem] = report.problems
    assert (Path(problem.path).name, problem.severity) == ("lost.xml", "warning")


def test_an_annotation_that_may_be_of_two_images_is_an_error(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "one" / "a.png")
    draw(tmp_path / "two" / "a.png", seed=1)
    annotate(tmp_path / "xml" / "a.xml", thing("dog", 0, 0, 9, 9))
    [problem] = read(FolderData(root=tmp_path)).problems
    assert problem.severity == "error"
    assert "which image is it about?" in problem.reason


def test_without_any_object_there_is_no_class_list(root: Path) -> None:
    annotate(root / "Annotations" / "a.xml")
    with pytest.raises(InputError, match="no class name"):
        read(FolderData(root=root))


def test_what_is_written_says_the_same_to_another_reader(
    odd_set: ImageSet, tmp_path: Path
) -> None:
    voc.write(tmp_path / "written", odd_set)
    by_size = {
        (width, height): labels
        for width, height, labels in odd_set.table[["width", "height", "labels"]].itertuples(
            index=False, name=None
        )
    }
    paths = list((tmp_path / "written" / "Annotations").iterdir())
    assert len(paths) == 7
    for path in paths:
        node = ET.parse(path).getroot()  # noqa: S314 - written just now
        assert (tmp_path / "written" / "JPEGImages" / str(node.findtext("filename"))).is_file()
        width, height = (int(str(node.findtext(f"size/{tag}"))) for tag in ("width", "height"))
        labels = by_size[width, height]
        names = [odd_set.class_names[int(class_id)] for class_id in labels.class_id]
        assert [name.text for name in node.iterfind("object/name")] == names
        corners = [[float(str(v.text)) for v in box] for box in node.iterfind("object/bndbox")]
        expected = labels.xyxy(width, height)
        np.testing.assert_allclose(np.array(corners).reshape(-1, 4), expected, atol=1e-5)


POLYGON = "<x1>16</x1><y1>12</y1><x2>48</x2><y2>12</y2><x3>48</x3><y3>36</y3>"
POINTS = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((16, 12), (48, 12), (48, 36)))
TURNED = "<cx>32</cx><cy>24</cy><w>24</w><h>32</h><angle>{}</angle>"
BNDBOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"


@pytest.mark.parametrize(
    ("inside", "expected", "n_outlines"),
    [
        (f"<polygon>{POLYGON}</polygon>", [16, 12, 48, 36], 1),
        (f"<polygon><username>me</username>{POINTS}</polygon>", [16, 12, 48, 36], 1),
        (f"{BNDBOX}<polygon>{POLYGON}</polygon>", [1, 1, 9, 9], 1),
        (f"<polygon>{POLYGON}</polygon>" * 2, [16, 12, 48, 36], 0),
        (f"{BNDBOX}<polygon><x1>3</x1><y1>3</y1></polygon>", [1, 1, 9, 9], 0),
        (f"<robndbox>{TURNED.format(1.5707963267948966)}</robndbox>", [16, 12, 48, 36], 1),
        (f"<robndbox>{TURNED.format(0)}</robndbox>", [20, 8, 44, 40], 1),
    ],
)
def test_the_box_around_an_outline_is_read(
    root: Path, inside: str, expected: list[float], n_outlines: int
) -> None:
    thing = f"<object><name>dog</name>{inside}</object>"
    annotate(root / "Annotations" / "a.xml", thing)
    report = read(FolderData(root=root))
    assert report.errors == ()
    labels = report.images.table["labels"][0]
    assert labels.xyxy(64, 48).tolist() == [pytest.approx(expected)]
    assert len(labels.polygons or ()) == n_outlines


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("<polygon><x1>3</x1><y1>3</y1></polygon>", "expected a polygon of three corners"),
        (f"<polygon>{POLYGON.replace('36', 'x')}</polygon>", "expected a polygon of three"),
        ("<robndbox><cx>1</cx></robndbox>", "expected a robndbox with cx, cy, w, h, angle"),
    ],
)
def test_a_wrong_outline_without_a_box_is_an_error(
    root: Path, inside: str, reason: str
) -> None:
    [problem] = read_things(root, f"<object><name>dog</name>{inside}</object>").errors
    assert problem.reason.startswith(f"object 2 (dog): {reason}")


@pytest.mark.parametrize("encoding", ["gb2312", "unicode", "shift_jis", "x-none", "utf-7"])
def test_an_encoding_that_is_not_understood_is_named(root: Path, encoding: str) -> None:
    path = root / "Annotations" / "a.xml"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><annotation></annotation>')
    reason = f"its encoding is {encoding}, which is not understood"
    with pytest.raises(InputError, match=rf"no class name among its labels \({path}: {reason}"):
        read(FolderData(root=root))
    (root / "classes.txt").write_text("dog\n")
    [problem] = read(FolderData(root=root)).errors
    assert problem.reason.startswith(reason)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_other_encodings_are_read(root: Path, encoding: str) -> None:
    text = annotate(root / "Annotations" / "a.xml", thing("für", 16, 12, 48, 36)).read_text()
    declared = f'<?xml version="1.0" encoding="{encoding}"?><!-- <annotations> -->{text}'
    (root / "Annotations" / "a.xml").write_text(declared, encoding=encoding)
    assert read(FolderData(root=root)).images.class_names == ("für",)
