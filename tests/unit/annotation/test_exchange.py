"""Folders for annotators' tools, and what comes back from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from backhaul.annotation.exchange.files import Tool, read_exchange, write_exchange
from backhaul.annotation.waiting import waiting_images
from backhaul.data.formats import read
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from tests.waiting import BOX, CLASSES, SIZE

Wait = Callable[..., None]
TOOLS: tuple[Tool, ...] = get_args(Tool)
CAR = {"label": "car", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_written_is_read_back(
    tool: Tool, files: RunFiles, waiting: Wait, tmp_path: Path
) -> None:
    waiting(range(3))
    images = waiting_images(files)
    write_exchange(tmp_path / "out", tool, images, CLASSES, 0.3)
    pictures = sorted(path.stem for path in (tmp_path / "out" / "images").glob("*.png"))
    assert pictures == [image.file.image_id for image in images]
    found = read_exchange(tmp_path / "out", tool, images, CLASSES)
    assert [problem for problem in found.problems if problem.severity != "note"] == []
    assert sorted(found.labels) == pictures
    for labels in found.labels.values():
        assert labels.class_id.tolist() == [1]
        assert labels.xyxy(*SIZE)[0].tolist() == pytest.approx(BOX, abs=1e-3)


@pytest.mark.parametrize("tool", ["cvat", "coco", "yolo"])
def test_our_reader_of_data_sets_reads_it_too(
    tool: Tool, files: RunFiles, waiting: Wait, tmp_path: Path
) -> None:
    waiting(range(2))
    write_exchange(tmp_path / "out", tool, waiting_images(files), CLASSES, 0.3)
    report = read(FolderData(root=str(tmp_path / "out"), format=tool))
    assert len(report.images.labelled()) == 2


def test_cvat_s_file_alone_is_enough(files: RunFiles, waiting: Wait, tmp_path: Path) -> None:
    waiting(range(2))
    images = waiting_images(files)
    first = images[0].file.image_id
    text = f"""<?xml version="1.0"?><annotations><version>1.1</version>
    <image id="0" name="folder/{first}.png" width="200" height="100">
      <box label="car" xtl="10" ytl="20" xbr="30.5" ybr="40" occluded="0" z_order="0"/>
    </image></annotations>"""
    file = tmp_path / "job.xml"
    file.write_text(text)
    found = read_exchange(file, "cvat", images, CLASSES)
    assert list(found.labels) == [first]
    assert found.labels[first].xyxy(*SIZE)[0].tolist() == pytest.approx([10, 20, 30.5, 40])


def test_a_class_that_the_run_has_not_is_told(
    files: RunFiles, waiting: Wait, tmp_path: Path
) -> None:
    waiting(range(2))
    images = waiting_images(files)
    write_exchange(tmp_path / "out", "cvat", images, CLASSES, 0.3)
    file = tmp_path / "out" / "annotations.xml"
    before, after = file.read_text().split('label="big bus"', 1)
    file.write_text(f'{before}label="tram"{after}')
    found = read_exchange(file, "cvat", images, CLASSES)
    assert len(found.labels) == 1
    assert "tram" in str(found.problems[0])
    assert str(found.problems[0]).startswith(str(file))


def x_anylabeling(folder: Path, image_id: str, **changes: object) -> Path:
    shape = {
        "label": "car",
        "shape_type": "rectangle",
        "points": [[1, 2], [51, 2], [51, 42], [1, 42]],
    }
    whole = {"version": "3.1.0", "shapes": [shape], "imagePath": "x.png", "checked": True}
    file = folder / f"{image_id}.json"
    file.write_text(json.dumps(whole | changes))
    return file


def test_rectangles_of_newer_versions_have_four_corners(
    files: RunFiles, waiting: Wait, tmp_path: Path
) -> None:
    waiting(range(2))
    images = waiting_images(files)
    first = images[0].file.image_id
    x_anylabeling(tmp_path, first)
    found = read_exchange(tmp_path, "x-anylabeling", images, CLASSES)
    assert list(found.labels) == [first]
    assert found.labels[first].xyxy(*SIZE)[0].tolist() == pytest.approx([1, 2, 51, 42])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shapes": [CAR | {"label": "tram"}]}, "no class"),
        ({"shapes": [CAR | {"points": [[1, 1]]}]}, "points"),
        ({"shapes": [CAR | {"points": [[1, 1], [900, 9]]}]}, "out of range"),
        ({"shapes": 3}, "shapes"),
    ],
)
def test_a_wrong_file_concerns_its_image_alone(
    changes: dict[str, object], reason: str, files: RunFiles, waiting: Wait, tmp_path: Path
) -> None:
    waiting(range(2))
    images = waiting_images(files)
    wrong, right = (image.file.image_id for image in images)
    file = x_anylabeling(tmp_path, wrong, **changes)
    x_anylabeling(tmp_path, right)
    found = read_exchange(tmp_path, "x-anylabeling", images, CLASSES)
    assert list(found.labels) == [right]
    assert reason in str(found.problems[0])
    assert str(found.problems[0]).startswith(str(file))


def test_what_is_not_there_is_said(files: RunFiles, waiting: Wait, tmp_path: Path) -> None:
    waiting(range(1))
    images = waiting_images(files)
    with pytest.raises(InputError, match="no file there"):
        read_exchange(tmp_path / "gone", "cvat", images, CLASSES)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(InputError, match="empty"):
        write_exchange(tmp_path / "out", "x-anylabeling", images, CLASSES, 0.3)
