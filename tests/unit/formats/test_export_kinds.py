"""What annotation tools export, as they write it, has the boxes that were drawn.

The kinds of YOLO are in test_export_kinds_yolo.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backhaul.data.formats import detect, read
from backhaul.data.formats.files import scan
from backhaul.data.settings import FolderData

Draw = Callable[..., Path]
WIDTH, HEIGHT = 64, 48
Boxes = dict[str, list[tuple[str, float, float, float, float]]]
DRAWN: Boxes = {
    "one": [("lorry", 16, 12, 48, 36), ("red car", 2, 4, 12, 20)],
    "two": [("red car", 10, 10, 30, 40)],
}
CLASSES = ("lorry", "red car")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def images(draw: Draw, folder: Path, suffix: str = ".jpg") -> dict[str, str]:
    """Draw both images into a folder; return their names."""
    for seed, stem in enumerate(DRAWN):
        draw(folder / f"{stem}{suffix}", WIDTH, HEIGHT, seed)
    return {stem: f"{stem}{suffix}" for stem in DRAWN}


def coco(
    names: dict[str, str], first_id: int = 1, categories: Any = None, **more: Any
) -> dict[str, Any]:
    """Return the content of a COCO file for images of these names, as a dictionary."""
    listed, annotations = [], list[dict[str, Any]]()
    of_name = {name: first_id + place for place, name in enumerate(CLASSES)}
    for number, (stem, name) in enumerate(names.items(), first_id):
        listed.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for label, x1, y1, x2, y2 in DRAWN[stem]:
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            known = {"id": first_id + len(annotations), "image_id": number, "iscrowd": 0}
            annotations.append(known | {"category_id": of_name[label]} | box | more)
    plain = [{"id": i, "name": n, "supercategory": ""} for n, i in of_name.items()]
    every = {"images": listed, "annotations": annotations, "categories": categories or plain}
    return {"info": {}, "licenses": []} | every


def voc_object(
    label: str, x1: float, y1: float, x2: float, y2: float, outline: bool = False
) -> str:
    corners = zip(("xmin", "ymin", "xmax", "ymax"), (x1, y1, x2, y2), strict=True)
    bndbox = "".join(f"<{key}>{value}</{key}>" for key, value in corners)
    points = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    numbered = "".join(
        f"<x{i}>{x}</x{i}><y{i}>{y}</y{i}>" for i, (x, y) in enumerate(points, start=1)
    )
    polygon = f"<polygon>{numbered}</polygon>" if outline else ""
    return (
        f"<object><name>{label}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>0</difficult><bndbox>{bndbox}</bndbox>{polygon}</object>"
    )


def voc(path: Path, stem: str, filename: str, size: str = "", outline: bool = False) -> None:
    size = size or f"<width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth>"
    things = "".join(voc_object(*box, outline=outline) for box in DRAWN[stem])
    put(
        path,
        f"<annotation><folder>x</folder><filename>{filename}</filename><size>{size}</size>"
        f"<segmented>0</segmented>{things}</annotation>",
    )


def roboflow_coco(root: Path, draw: Draw) -> None:
    for subset, stem in (("train", "one"), ("valid", "two")):
        name = f"{stem}_jpg.rf.{'ab' * 16}.jpg"
        draw(root / subset / name, WIDTH, HEIGHT, list(DRAWN).index(stem))
        grouped = [
            {"id": 0, "name": "vehicles", "supercategory": "none"},
            {"id": 1, "name": "lorry", "supercategory": "vehicles"},
            {"id": 2, "name": "red car", "supercategory": "vehicles"},
        ]
        content = coco({stem: name}, categories=grouped, segmentation=[])
        put(root / subset / "_annotations.coco.json", json.dumps(content))
    put(root / "README.dataset.txt", "vehicles > v1\n")


def roboflow_voc(root: Path, draw: Draw) -> None:
    for subset, stem in (("train", "one"), ("valid", "two")):
        name = f"{stem}_jpg.rf.{'ab' * 16}"
        draw(root / subset / f"{name}.jpg", WIDTH, HEIGHT, list(DRAWN).index(stem))
        voc(root / subset / f"{name}.xml", stem, f"{name}.jpg", outline=True)
    put(root / "README.roboflow.txt", "exported\n")


def roboflow_csv(root: Path, draw: Draw) -> None:
    for subset, stem in (("train", "one"), ("valid", "two")):
        draw(root / subset / f"{stem}.jpg", WIDTH, HEIGHT, list(DRAWN).index(stem))
        rows = [
            f"{stem}.jpg,{WIDTH},{HEIGHT},{label},{','.join(map(str, box))}\n"
            for label, *box in DRAWN[stem]
        ]
        header = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        put(root / subset / "_annotations.csv", header + "".join(rows))


def cvat_coco(root: Path, draw: Draw) -> None:
    names = images(draw, root / "images" / "default")
    inside = {stem: f"default/{name}" for stem, name in names.items()}
    content = coco(inside, segmentation=[], attributes={"occluded": False, "rotation": 0.0})
    put(root / "annotations" / "instances_default.json", json.dumps(content))


def cvat_voc(root: Path, draw: Draw) -> None:
    for stem, name in images(draw, root / "JPEGImages").items():
        voc(root / "Annotations" / f"{stem}.xml", stem, name)
    put(root / "ImageSets" / "Main" / "default.txt", "one\ntwo\n")
    put(
        root / "labelmap.txt",
        "# label:color_rgb:parts:actions\nlorry:1,2,3::\nred car:4,5,6::\n",
    )


def cvat_images(root: Path, draw: Draw) -> None:
    names = images(draw, root / "images")
    listed = ""
    for number, (stem, name) in enumerate(names.items()):
        shapes = "".join(
            f'<box label="{label}" source="manual" occluded="0" xtl="{x1:.2f}" ytl="{y1:.2f}" '
            f'xbr="{x2:.2f}" ybr="{y2:.2f}" z_order="0">'
            '<attribute name="side">left</attribute></box>'
            for label, x1, y1, x2, y2 in DRAWN[stem]
        )
        size = f'width="{WIDTH}" height="{HEIGHT}"'
        listed += f'<image id="{number}" name="{name}" {size}>{shapes}</image>'
    labels = "".join(f"<label><name>{name}</name></label>" for name in CLASSES)
    put(
        root / "annotations.xml",
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        f"<meta><task><name>t</name><labels>{labels}</labels></task></meta>"
        f"{listed}</annotations>",
    )


def label_studio_coco(root: Path, draw: Draw) -> None:
    names = {
        stem: f"images/0a1b2c3d-{name}" for stem, name in images(draw, root / "images").items()
    }
    for stem, name in names.items():
        (root / "images" / f"{stem}.jpg").rename(root / name)
    content = coco(names, first_id=0, segmentation=[], ignore=0)
    put(root / "result.json", json.dumps(content, indent=2))


def label_studio_coco_of_windows(root: Path, draw: Draw) -> None:
    names = images(draw, root / "images")
    content = coco({stem: f"..\\images\\{name}" for stem, name in names.items()}, 0)
    put(root / "result.json", json.dumps(content, indent=2))


def label_studio_voc(root: Path, draw: Draw) -> None:
    for stem, name in images(draw, root / "images").items():
        voc(root / "Annotations" / f"{stem}.xml", stem, name)


def labelimg_voc(root: Path, draw: Draw) -> None:
    for stem, name in images(draw, root).items():
        voc(root / f"{stem}.xml", stem, name)


def coco_2017(root: Path, draw: Draw) -> None:
    for subset, stem in (("train2017", "one"), ("val2017", "two")):
        draw(root / subset / "000000000009.jpg", WIDTH, HEIGHT, list(DRAWN).index(stem))
        content = coco({stem: "000000000009.jpg"})
        put(root / "annotations" / f"instances_{subset}.json", json.dumps(content))
        put(root / "annotations" / f"captions_{subset}.json", json.dumps({"images": []}))
        put(root / "annotations" / f"person_keypoints_{subset}.json", json.dumps(content))


def kitti(root: Path, draw: Draw) -> None:
    for stem in images(draw, root / "training" / "image_2", ".png"):
        lines = [
            f"{label.replace(' ', '_')} 0.00 0 -1.57 {' '.join(f'{v:.2f}' for v in box)} "
            "1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n"
            for label, *box in DRAWN[stem]
        ]
        put(root / "training" / "label_2" / f"{stem}.txt", "".join(lines))


def tensorflow_csv(root: Path, draw: Draw) -> None:
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax\n"]
    for stem, name in images(draw, root / "images").items():
        for label, *box in DRAWN[stem]:
            rows.append(f"{name},{WIDTH},{HEIGHT},{label},{','.join(map(str, box))}\n")
    put(root / "train_labels.csv", "".join(rows))


KINDS: dict[Callable[[Path, Draw], None], str] = {
    roboflow_coco: "coco",
    roboflow_voc: "voc",
    roboflow_csv: "csv",
    cvat_coco: "coco",
    cvat_voc: "voc",
    cvat_images: "cvat",
    label_studio_coco: "coco",
    label_studio_coco_of_windows: "coco",
    label_studio_voc: "voc",
    labelimg_voc: "voc",
    coco_2017: "coco",
    kitti: "kitti",
    tensorflow_csv: "csv",
}


@pytest.mark.parametrize("export", KINDS, ids=lambda export: export.__name__)
def test_an_export_has_the_boxes_that_were_drawn(
    export: Callable[[Path, Draw], None], tmp_path: Path, draw: Draw
) -> None:
    export(tmp_path, draw)
    assert detect(scan(tmp_path)) == KINDS[export]
    report = read(FolderData(root=tmp_path))
    assert [str(problem) for problem in report.problems if problem.severity != "note"] == []
    space = "_" if KINDS[export] == "kitti" else " "
    assert report.images.class_names == ("lorry", f"red{space}car")
    found = [labels.rows() for labels in report.images.table["labels"]]
    for rows, drawn in zip(found, DRAWN.values(), strict=True):
        expected = [(CLASSES.index(name), *box) for name, *box in drawn]
        corners = rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2
        in_px = np.hstack(corners) * [WIDTH, HEIGHT, WIDTH, HEIGHT]
        np.testing.assert_allclose(np.column_stack([rows[:, 0], in_px]), expected, atol=1e-9)
