"""Files as annotators' tools really write them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from backhaul.annotation.exchange.files import Tool, read_exchange, write_exchange
from backhaul.annotation.waiting import WaitingImage, waiting_images
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from tests.waiting import CLASSES, SIZE

LINE = "0 0.5 0.5 0.2 0.2\n"
OTHER_ORDER = "big bus\ncar\n<&>\n"


@pytest.fixture
def image(files: RunFiles, waiting: Callable[..., None]) -> WaitingImage:
    """An image that waits."""
    waiting(range(1))
    return waiting_images(files)[0]


def put(folder: Path, image: WaitingImage, texts: Mapping[str, str]) -> None:
    """Write files; ID in their names and texts is that of the image."""
    for name, text in texts.items():
        path = folder / name.replace("ID", image.file.image_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("ID", image.file.image_id), encoding="utf-8")


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(
            {
                "obj_train_data/ID.txt": LINE,
                "obj.names": OTHER_ORDER,
                "obj.data": "classes = 3\ntrain = data/train.txt\nnames = data/obj.names\n",
                "train.txt": "data/obj_train_data/ID.png\n",
            },
            id="CVAT's YOLO 1.1",
        ),
        pytest.param(
            {
                "labels/train/ID.txt": LINE,
                "data.yaml": "names:\n  0: big bus\n  1: car\npath: .\ntrain: train.txt\n",
                "train.txt": "data/images/train/ID.png\n",
            },
            id="Ultralytics YOLO without images",
        ),
        pytest.param(
            {
                "train/labels/ID.txt": LINE,
                "data.yaml": "names: [big bus, car]\nnc: 2\ntrain: ../train/images\n"
                "val: ../valid/images\n",
                "README.roboflow.txt": "cars - v1\n",
            },
            id="Roboflow",
        ),
        pytest.param({"ID.txt": LINE, "classes.txt": OTHER_ORDER}, id="labelImg"),
        pytest.param({"ID.txt": LINE, "classes.txt": f"\ufeff{OTHER_ORDER}"}, id="mark"),
        pytest.param(
            {"job/labels/ID.txt": LINE, "job/data.yaml": "names: [big  bus, car, tram]\n"},
            id="a folder above, and a class that no box has",
        ),
    ],
)
def test_numbers_of_yolo_mean_the_names_beside_them(
    texts: Mapping[str, str], image: WaitingImage, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    put(folder, image, texts)
    found = read_exchange(folder, "yolo", [image], CLASSES)
    assert found.problems == []
    labels = found.labels[image.file.image_id]
    assert [CLASSES[class_id] for class_id in labels.class_id] == ["big bus"]
    assert labels.xyxy(*SIZE)[0].tolist() == pytest.approx([80, 40, 120, 60])


def test_a_class_of_yolo_s_list_that_the_run_has_not(
    image: WaitingImage, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    put(folder, image, {"labels/ID.txt": LINE, "data.yaml": "names: [tram, car]\n"})
    found = read_exchange(folder, "yolo", [image], CLASSES)
    assert found.labels == {}
    told = str(found.problems[0])
    assert told.startswith(f"{folder}/labels/{image.file.image_id}.txt")
    assert "'tram'" in told
    assert "big bus" in told


def test_without_a_list_the_order_of_the_run_is_taken_and_told(
    image: WaitingImage, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    put(folder, image, {"ID.txt": LINE})
    found = read_exchange(folder, "yolo", [image], CLASSES)
    assert found.labels[image.file.image_id].class_id.tolist() == [0]
    assert "0 car, 1 big bus" in str(found.problems[0])


def test_lists_that_differ_are_refused(image: WaitingImage, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    put(folder, image, {"ID.txt": LINE, "classes.txt": OTHER_ORDER})
    put(folder, image, {"data.yaml": "names: [car, big bus]\n"})
    with pytest.raises(InputError, match="different class lists; expected one"):
        read_exchange(folder, "yolo", [image], CLASSES)


def test_files_of_other_names_are_told(image: WaitingImage, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    put(folder, image, {"frame_1.txt": LINE, "frame_2.json": '{"shapes": []}'})
    tools: tuple[Tool, ...] = ("yolo", "x-anylabeling")
    for tool, name in zip(tools, ("frame_1.txt", "frame_2.json"), strict=True):
        found = read_exchange(folder, tool, [image], CLASSES)
        assert found.labels == {}
        assert name in str(found.problems[0])


@pytest.mark.parametrize("tool", ["cvat", "x-anylabeling", "coco"])
def test_a_byte_order_mark(tool: Tool, image: WaitingImage, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write_exchange(folder, tool, [image], CLASSES, 0.3)
    for path in (*folder.rglob("*.json"), *folder.rglob("*.xml")):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    found = read_exchange(folder, tool, [image], CLASSES)
    assert found.labels[image.file.image_id].class_id.tolist() == [1]


@pytest.mark.parametrize("tool", ["cvat", "x-anylabeling", "coco", "yolo"])
def test_a_packed_export_is_to_be_unpacked(
    tool: Tool, image: WaitingImage, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    file = folder / "job.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    for given in (file, folder):
        with pytest.raises(InputError, match="unpack it") as error:
            read_exchange(given, tool, [image], CLASSES)
        assert str(error.value).startswith(str(file))


@pytest.mark.parametrize("tool", ["cvat", "x-anylabeling", "coco", "yolo"])
def test_a_folder_with_nothing_of_the_tool(
    tool: Tool, image: WaitingImage, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    with pytest.raises(InputError) as error:
        read_exchange(folder, tool, [image], CLASSES)
    assert str(error.value).startswith(str(folder))
