"""What every format takes and refuses alike: how files are stored, sizes, and numbers."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backhaul.data.formats import FORMATS, read
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

LABELS = {
    "yolo": "labels/*.txt",
    "voc": "Annotations/*.xml",
    "coco": "annotations/*.json",
    "cvat": "annotations.xml",
    "kitti": "label_2/*.txt",
    "csv": "annotations.csv",
}
"""Files with labels of each format, as it writes them."""
SIZED = {
    "voc": "<width>60</width>",
    "coco": '"width": 60',
    "cvat": 'width="60"',
    "csv": ",60,48,red cell",
}
"""The width of the first image, in formats that have it."""
every_format = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture
def change(odd_set: ImageSet, tmp_path: Path) -> Callable[[str, Callable[[bytes], bytes]], str]:
    """Write a set, change each of its label files, and return the errors and the boxes."""

    def changed(name: str, of_file: Callable[[bytes], bytes]) -> str:
        FORMATS[name].write(tmp_path / "set", odd_set)
        for path in (tmp_path / "set").glob(LABELS[name]):
            path.write_bytes(of_file(path.read_bytes()))
        try:
            report = read(FolderData(root=tmp_path / "set", format=name))
        except InputError as error:
            return str(error)
        if report.errors:
            return "\n".join(map(str, report.errors))
        found = report.images.take(odd_set.ids).table["labels"]
        for labels, expected in zip(found, odd_set.table["labels"], strict=True):
            assert (labels is None) == (expected is None)
            if expected is not None:
                np.testing.assert_allclose(labels.rows(), expected.rows(), atol=1e-7)
        return ""

    return changed


Change = Callable[[str, Callable[[bytes], bytes]], str]


def test_the_tables_name_every_format() -> None:
    assert LABELS.keys() == FORMATS.keys()


@every_format
def test_a_byte_order_mark_is_passed_over(name: str, change: Change) -> None:
    assert change(name, lambda data: codecs.BOM_UTF8 + data) == ""


@every_format
@pytest.mark.parametrize("end", [b"\r\n", b"\r\n\r\n", b" \n", b"\t\n"])
def test_lines_may_end_otherwise(name: str, end: bytes, change: Change) -> None:
    assert change(name, lambda data: data.replace(b"\n", end)) == ""


@every_format
def test_blank_lines_at_the_end_are_passed_over(name: str, change: Change) -> None:
    assert change(name, lambda data: data + b"\n \n\n") == ""


@pytest.mark.parametrize("name", LABELS)
def test_an_empty_file_is_no_objects_or_an_error_but_never_passed_over(
    name: str, change: Change, odd_set: ImageSet, tmp_path: Path
) -> None:
    FORMATS[name].write(tmp_path / "empty", odd_set)
    first = sorted((tmp_path / "empty").glob(LABELS[name]))[0]
    first.write_bytes(b"")
    try:
        report = read(FolderData(root=tmp_path / "empty", format=name))
    except InputError as error:
        assert first.name in str(error)  # noqa: PT017 - one of two ends
        return
    if name in ("yolo", "kitti"):
        assert report.problems == ()
        assert len(report.images.labelled()) == len(odd_set.labelled())
    else:
        assert first.name in str(report.errors[0])


@every_format
def test_a_comma_is_no_decimal_point(name: str, change: Change) -> None:
    old, new = {
        "yolo": (b"0.5", b"0,5"),
        "voc": (b"<xmin>22.5", b"<xmin>22,5"),
        "coco": (b"22.5", b'"22,5"'),
        "cvat": (b'xtl="22.5', b'xtl="22,5'),
        "kitti": (b" 22.5 ", b" 22,5 "),
        "csv": (b",22.5,", b",22,5,"),
    }[name]
    assert change(name, lambda data: data.replace(old, new, 1)) != ""


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("width", ["60", "60.0", "0", "0.0", " 60 "])
def test_a_size_may_be_a_float_or_unknown(name: str, width: str, change: Change) -> None:
    if name == "coco":
        width = width.strip()
    old = SIZED[name]
    assert change(name, lambda data: _with(data, old, width)) == ""


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("width", ["60.5", "-60", "1e999"])
def test_a_size_that_is_no_number_of_pixels_is_an_error(
    name: str, width: str, change: Change
) -> None:
    old = SIZED[name]
    assert "expected whole numbers of pixels" in change(
        name, lambda data: _with(data, old, width)
    )


@pytest.mark.parametrize("name", SIZED)
def test_another_size_is_an_error(name: str, change: Change) -> None:
    old = SIZED[name]
    assert "but" in change(name, lambda data: _with(data, old, "61.0"))


def _with(data: bytes, old: str, width: str) -> bytes:
    return data.replace(old.encode(), old.replace("60", width).encode())


PIXELS = {
    "voc": ("Annotations/a.xml", "<annotation>{}</annotation>"),
    "coco": ("result.json", "{}"),
    "cvat": ("annotations.xml", "<annotations>{}</annotations>"),
    "kitti": ("label_2/a.txt", "{}"),
    "csv": ("boxes.csv", "filename,class,xmin,ymin,xmax,ymax\n{}"),
}


def _boxes(name: str, *boxes: tuple[float, float, float, float]) -> str:
    if name == "voc":
        keys = ("xmin", "ymin", "xmax", "ymax")
        tags = ["".join(f"<{k}>{v}</{k}>" for k, v in zip(keys, b, strict=True)) for b in boxes]
        return "".join(f"<object><name>c</name><bndbox>{t}</bndbox></object>" for t in tags)
    if name == "cvat":
        shapes = [f'xtl="{a}" ytl="{b}" xbr="{c}" ybr="{d}"' for a, b, c, d in boxes]
        inside = "".join(f'<box label="c" {shape}/>' for shape in shapes)
        return f'<image name="a.jpg">{inside}</image>'
    if name == "kitti":
        lines = [f"c 0 0 0 {' '.join(map(str, box))} 1 1 1 1 1 1 1\n" for box in boxes]
        return "".join(lines)
    if name == "csv":
        return "".join(f"a.jpg,c,{','.join(map(str, box))}\n" for box in boxes)
    annotations = ",".join(
        f'{{"image_id": 1, "category_id": 1, "bbox": [{a}, {b}, {c - a}, {d - b}]}}'
        for a, b, c, d in boxes
    )
    listed = '"images": [{"id": 1, "file_name": "a.jpg"}]'
    categories = '"categories": [{"id": 1, "name": "c"}]'
    return f'{{{listed}, {categories}, "annotations": [{annotations}]}}'


@pytest.mark.parametrize("name", PIXELS)
@pytest.mark.parametrize("n_fractions", [1, 2])
def test_fractions_in_place_of_pixels_are_questioned(
    name: str, n_fractions: int, tmp_path: Path, draw: Callable[..., Path]
) -> None:
    folder = {"voc": "JPEGImages", "kitti": "image_2"}.get(name, "images")
    draw(tmp_path / folder / "a.jpg")
    place, whole = PIXELS[name]
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    fractions = [(0.1, 0.1, 0.5, 0.625), (0.0, 0.0, 1.0, 1.0)][:n_fractions]
    path.write_text(whole.replace("{}", _boxes(name, *fractions)))
    [problem] = read(FolderData(root=tmp_path)).problems
    assert problem.severity == "warning"
    assert "all boxes lie within 0 to 1 pixels" in problem.reason
    path.write_text(whole.replace("{}", _boxes(name, *fractions, (2, 2, 30, 40))))
    assert read(FolderData(root=tmp_path)).problems == ()
