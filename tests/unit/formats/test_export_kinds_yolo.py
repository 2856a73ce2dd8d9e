"""The YOLO kinds of the table of exports in docs/data.md, each as its tool writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from backhaul.data.formats import read
from backhaul.data.settings import FolderData

Draw = Callable[..., Path]
BOXES = {"a": "0 0.5 0.5 0.25 0.5", "b": "1 0.25 0.25 0.5 0.5", "c": "0 0.75 0.5 0.25 0.5"}
OUTLINES = {  # around the same boxes
    "a": "0 0.375 0.25 0.625 0.25 0.625 0.75 0.375 0.75",
    "b": "1 0 0 0.5 0 0.25 0.5",
    "c": "0 0.75 0.25 0.875 0.5 0.75 0.75 0.625 0.5",
}
LISTED = "".join(f"data/obj_train_data/{name}.png\n" for name in BOXES)
NAMES = "car\nbus\n"
SUBSETS = {"a": "train", "b": "valid", "c": "test"}
ROBOFLOW = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\n"
ROBOFLOW_11 = ROBOFLOW + "names: ['car', 'bus']\n\nroboflow:\n  workspace: w\n  project: p\n"
ELSEWHERE = ROBOFLOW_11.replace("../", "/content/Cars-2/")
ULTRALYTICS = {"a": "train", "b": "val", "c": "val"}


def split(folder: str, subsets: Mapping[str, str]) -> dict[str, str]:
    return {name: folder.format(subset) for name, subset in subsets.items()}


def one(folder: str) -> dict[str, str]:
    return dict.fromkeys(BOXES, folder)


# images' folders, labels' folders, other files, label lines
KINDS: dict[str, tuple[dict[str, str], dict[str, str], dict[str, str], dict[str, str]]] = {
    "roboflow yolov5": (
        split("{}/images", SUBSETS),
        split("{}/labels", SUBSETS),
        {
            "data.yaml": ROBOFLOW.replace("../", "Cars-2/") + "names: ['car', 'bus']\n",
            "README.dataset.txt": "# Cars\nhttps://universe.roboflow.com\n",
            "README.roboflow.txt": "\nCars - v2\n====\n",
        },
        BOXES,
    ),
    "roboflow yolov8": (
        split("{}/images", SUBSETS),
        split("{}/labels", SUBSETS),
        {"data.yaml": ELSEWHERE},
        BOXES,
    ),
    "roboflow yolov11 segmentation": (
        split("{}/images", SUBSETS),
        split("{}/labels", SUBSETS),
        {"data.yaml": ROBOFLOW_11},
        OUTLINES,
    ),
    "roboflow yolov8 oriented boxes": (
        split("{}/images", SUBSETS),
        split("{}/labels", SUBSETS),
        {"data.yaml": ROBOFLOW_11},
        {**BOXES, "a": OUTLINES["a"], "c": OUTLINES["c"]},
    ),
    "roboflow darknet": (
        split("{}", SUBSETS),
        split("{}", SUBSETS),
        {f"{subset}/_darknet.labels": NAMES for subset in SUBSETS.values()},
        BOXES,
    ),
    "ultralytics": (
        split("images/{}", ULTRALYTICS),
        split("labels/{}", ULTRALYTICS),
        {
            "cars.yaml": "path: ../datasets/cars\ntrain: images/train\nval: images/val\ntest:\n"
            "names:\n  0: car\n  1: bus\n"
        },
        BOXES,
    ),
    "ultralytics string keys": (
        split("images/{}", ULTRALYTICS),
        split("labels/{}", ULTRALYTICS),
        {"data.yaml": "train: [images/train]\nval: images/val\nnames: {'1': bus, '0': car}\n"},
        BOXES,
    ),
    "ultralytics lists": (
        one("images"),
        one("labels"),
        {
            "data.yaml": "path: .\ntrain: train.txt\nval: val.txt\nnames: [car, bus]\n",
            "train.txt": "./images/a.png\n./images/b.png\n",
            "val.txt": "/home/me/cars/images/c.png\n",
        },
        BOXES,
    ),
    "cvat yolo 1.1": (
        one("obj_train_data"),
        one("obj_train_data"),
        {
            "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n"
            "backup = backup/\n",
            "obj.names": NAMES,
            "train.txt": LISTED,
        },
        BOXES,
    ),
    "cvat ultralytics detection": (
        one("images/train"),
        one("labels/train"),
        {
            "data.yaml": "names:\n  0: car\n  1: bus\npath: .\ntrain: train.txt\n",
            "train.txt": "".join(f"data/images/train/{name}.png\n" for name in BOXES),
        },
        BOXES,
    ),
    "label studio": (
        one("images"),
        one("labels"),
        {
            "classes.txt": NAMES,
            "notes.json": json.dumps({"categories": [{"id": 0, "name": "car"}], "info": {}}),
        },
        BOXES,
    ),
    "labelimg": (
        {"a": "day", "b": "day", "c": "night"},
        {"a": "day", "b": "day", "c": "night"},
        {"day/classes.txt": NAMES, "night/classes.txt": NAMES},
        BOXES,
    ),
    "darknet": (
        one("obj"),
        one("obj"),
        {
            "obj.data": "classes= 2\ntrain  = data/train.txt\nvalid  = data/test.txt\n"
            "names = data/obj.names\nbackup = backup/\n",
            "obj.names": NAMES,
            "coco.names": "person\nbicycle\n",
            "train.txt": "data/obj/a.png\ndata/obj/b.png\n",
            "test.txt": "C:\\darknet\\data\\obj\\c.png\r\n",
        },
        BOXES,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_those_that_the_tool_wrote(kind: str, tmp_path: Path, draw: Draw) -> None:
    images, labels, others, lines = KINDS[kind]
    root = tmp_path / "export"
    for seed, name in enumerate(BOXES):
        draw(root / images[name] / f"{name}.png", seed=seed)
        (root / labels[name]).mkdir(parents=True, exist_ok=True)
        (root / labels[name] / f"{name}.txt").write_text(lines[name])
    for name, text in others.items():
        (root / name).write_text(text)
    report = read(FolderData(root=root))
    assert {problem.severity for problem in report.problems} <= {"note"}, report.problems
    assert report.images.class_names == ("car", "bus")
    found = {
        Path(uri).stem: row for uri, row in report.images.table.set_index("uri").iterrows()
    }
    assert set(found) == set(BOXES)
    for name, line in BOXES.items():
        np.testing.assert_allclose(
            found[name]["labels"].rows(), [[float(field) for field in line.split()]], atol=1e-12
        )
    n_outlines = sum(labels.polygons is not None for labels in report.images.table["labels"])
    assert n_outlines == sum(lines[name] != BOXES[name] for name in BOXES)
