"""COCO files whose ids, names, categories or outlines are not what one expects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as cocomask

from backhaul.data.formats import DataReport, detect, read
from backhaul.data.formats.cocofile import looks_like_coco
from backhaul.data.formats.files import scan
from backhaul.data.settings import FolderData
from backhaul.errors import InputError

Draw = Callable[..., Path]
BBOX = [16, 12, 32, 24]
WHOLE = [[0, 0.5, 0.5, 0.5, 0.5]]
OUTLINE = [16, 12, 48, 12, 48, 36]


def read_content(
    root: Path, draw: Draw, images: Any, annotations: Any, categories: Any = None
) -> DataReport:
    for seed, name in enumerate("ab"):
        draw(root / "images" / f"{name}.jpg", seed=seed)
    known = categories or [{"id": 1, "name": "bolt"}]
    content = {"images": images, "annotations": annotations, "categories": known}
    (root / "result.json").write_text(json.dumps(content))
    return read(FolderData(root=root))


def images(*ids: Any) -> list[dict[str, Any]]:
    names = zip("ab", ids, strict=False)
    return [{"id": number, "file_name": f"{name}.jpg"} for name, number in names]


def annotation(image_id: Any = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": 1, "bbox": BBOX} | more


@pytest.mark.parametrize(
    ("first", "second"), [(1, 1), ("x", "x"), (1, "1"), ("01", 1), (1.0, 1), (-3, "-3")]
)
def test_two_images_of_one_id_are_an_error_that_names_both(
    first: Any, second: Any, tmp_path: Path, draw: Draw
) -> None:
    report = read_content(tmp_path, draw, images(first, second), [annotation(first)])
    [problem] = report.problems
    assert problem.severity == "error"
    assert problem.reason.startswith("two images have the id ")
    assert problem.reason.endswith("'a.jpg', 'b.jpg'")


@pytest.mark.parametrize("number", [None, True, [1], {}, "", " ", 1.5, float("nan"), 1e999])
def test_an_id_that_is_no_number_and_no_text_is_an_error(
    number: Any, tmp_path: Path, draw: Draw
) -> None:
    report = read_content(tmp_path, draw, images(1, number), [annotation()])
    [problem] = report.problems
    assert problem.severity == "error"
    assert "image 'b.jpg': expected images with a file_name, and an id" in problem.reason
    report = read_content(tmp_path, draw, images(1), [annotation(), annotation(number)])
    [problem] = report.problems
    assert problem.reason.startswith("annotations[1]: expected the image_id of an image")


@pytest.mark.parametrize(
    ("listed", "meant"), [(1, "1"), ("1", 1), (1, 1.0), ("cam-1", "cam-1")]
)
def test_an_id_may_be_written_otherwise(
    listed: Any, meant: Any, tmp_path: Path, draw: Draw
) -> None:
    report = read_content(tmp_path, draw, images(listed), [annotation(meant)])
    assert report.problems == ()
    assert report.images.table["labels"][0].rows().tolist() == WHOLE


def test_annotations_may_share_an_id_which_is_told(tmp_path: Path, draw: Draw) -> None:
    others = [annotation(1, id=7), annotation(2, id=7), annotation(2, bbox=[0, 0, 9, 9])]
    report = read_content(tmp_path, draw, images(1, 2), others)
    [problem] = report.problems
    assert (problem.severity, problem.reason) == (
        "note",
        "2 annotations share their id with another: each is an object",
    )
    assert [len(labels) for labels in report.images.table["labels"]] == [1, 2]


def test_a_name_of_several_images_is_an_error_unless_its_folder_tells(
    tmp_path: Path, draw: Draw
) -> None:
    for seed, subset in enumerate(("x", "y"), start=2):
        draw(tmp_path / "photos" / subset / "c.jpg", seed=seed)
    listed = [{"id": 1, "file_name": "c.jpg"}]
    [problem] = read_content(tmp_path, draw, listed, [annotation()]).problems
    assert problem.severity == "error"
    assert problem.reason.startswith("which image is it about? Several files are named 'c.jpg'")
    listed = [{"id": 1, "file_name": "D:\\data\\y\\c.jpg"}]
    report = read_content(tmp_path, draw, listed, [annotation()])
    assert report.problems == ()
    [uri] = report.images.labelled().table["uri"]
    assert uri.endswith("/y/c.jpg")


def test_a_folder_above_in_the_path_changes_nothing(tmp_path: Path, draw: Draw) -> None:
    read_content(tmp_path, draw, images(1), [annotation()])
    root = f"{tmp_path}/images/../../{tmp_path.name}"
    assert len(read(FolderData(root=root)).images.labelled()) == 1


GROUP = {"id": 0, "name": "tools", "supercategory": "none"}
BOLT = {"id": 1, "name": "bolt", "supercategory": "tools"}
NUT = {"id": 2, "name": "nut", "supercategory": "tools"}


@pytest.mark.parametrize(
    ("categories", "used", "names", "notes"),
    [
        ([GROUP, BOLT, NUT], [1], ("bolt", "nut"), ["category 'tools' (id 0) is no class"]),
        ([GROUP, BOLT, NUT], [0, 1], ("tools", "bolt", "nut"), []),
        ([GROUP | {"name": "bolt"}, BOLT], [1], ("bolt",), ["categories 0, 1 are one class"]),
        (
            [GROUP | {"name": "bolt"}, BOLT | {"supercategory": "bolt"}],
            [1],
            ("bolt",),
            ["category 'bolt' (id 0) is no class"],
        ),
        (
            [GROUP | {"name": "bolt"}, BOLT | {"supercategory": "bolt"}],
            [0, 1],
            ("bolt",),
            ["categories 0, 1 are one class: 'bolt'"],
        ),
        ([{"id": 1, "name": "a", "supercategory": "a"}], [1], ("a",), []),
        ([GROUP, NUT | {"supercategory": "none"}], [2], ("tools", "nut"), []),
    ],
)
def test_a_category_that_groups_others_is_no_class(
    categories: Any,
    used: list[int],
    names: tuple[str, ...],
    notes: list[str],
    tmp_path: Path,
    draw: Draw,
) -> None:
    boxes = [annotation(category_id=key, bbox=[key, key, 9, 9]) for key in used]
    report = read_content(tmp_path, draw, images(1), boxes, categories)
    assert report.images.class_names == names
    assert len(report.images.table["labels"][0]) == len(used)
    assert {problem.severity for problem in report.problems} <= {"note"}
    assert len(report.problems) == len(notes)
    for problem, note in zip(report.problems, notes, strict=True):
        assert problem.reason.startswith(note)


@pytest.mark.parametrize(
    "content",
    [
        {"settings": {"images": True, "annotations": True, "categories": False}},
        {"settings": {"images": [], "annotations": [], "categories": []}},
        {"images": {}, "annotations": [], "categories": []},
        {"log": ['"images": [', '"annotations": [', '"categories": [']},
        {"log": '{"images": [], "annotations": [], "categories": []}'},
        [{"images": [], "annotations": [], "categories": []}],
        {"images": [], "annotations": [], "more": {"categories": []}},
        {"images": [], "annotations": [], "more": ["categories", [1], []]},
        {"images": [], "annotations": [], "categories": "[]"},
    ],
)
@pytest.mark.parametrize("name", ["log.json", "instances_log.json"])
def test_other_json_is_not_taken_for_coco(
    name: str, content: Any, tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "classes.txt").write_text("bolt\n")
    (tmp_path / name).write_text(json.dumps(content))
    assert detect(scan(tmp_path)) == "yolo"


def test_keys_are_seen_in_any_order_and_behind_text_with_brackets(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    content = {
        "info": {"text": 'a "{[\\" b', "more": [["}"]]},
        "annotations": [{"id": 1, "text": "]}"}],
        "categories": [],
        "images": [],
    }
    for mark in ("", "\ufeff"):
        path.write_text(mark + json.dumps(content, indent=3), encoding="utf-8")
        assert looks_like_coco(path.as_posix()) is True
    path.write_text("{")
    assert looks_like_coco(path.as_posix()) is None


@pytest.mark.parametrize(
    ("segmentation", "bbox", "expected", "n_outlines"),
    [
        ([OUTLINE], None, BBOX, 1),
        ([OUTLINE], [], BBOX, 1),
        ([OUTLINE], [0, 0, 10, 10], [0, 0, 10, 10], 1),
        (OUTLINE, None, BBOX, 1),
        ([[16, 12, 20, 12, 20, 14], [40, 30, 48, 30, 48, 36]], None, BBOX, 0),
        ([[16, 12, 20, 12, 20, 14], [40, 30, 48, 30, 48, 36]], BBOX, BBOX, 0),
        ([[1, 1, 2, 2]], BBOX, BBOX, 0),
        (["x", None, {}], BBOX, BBOX, 0),
        ([], BBOX, BBOX, 0),
    ],
)
def test_a_box_is_that_around_polygons_if_there_is_none(
    segmentation: Any,
    bbox: Any,
    expected: list[float],
    n_outlines: int,
    tmp_path: Path,
    draw: Draw,
) -> None:
    more = {"segmentation": segmentation} | ({"bbox": bbox} if bbox is not None else {})
    thing = {"image_id": 1, "category_id": 1} | more
    report = read_content(tmp_path, draw, images(1), [thing])
    assert report.errors == ()
    labels = report.images.table["labels"][0]
    x, y, w, h = expected
    np.testing.assert_allclose(labels.xyxy(64, 48), [[x, y, x + w, y + h]])
    polygons = labels.polygons or ()
    assert sum(polygon is not None for polygon in polygons) == n_outlines


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("compressed", [True, False])
def test_a_box_is_that_around_a_mask(
    compressed: bool, seed: int, tmp_path: Path, draw: Draw
) -> None:
    rng = np.random.default_rng(seed)
    pixels = np.zeros((48, 64), dtype=np.uint8, order="F")
    x1, x2 = sorted(rng.choice(64, 2, replace=False))
    y1, y2 = sorted(rng.choice(48, 2, replace=False))
    pixels[y1 : y2 + 1, x1 : x2 + 1] = rng.integers(0, 2, (y2 - y1 + 1, x2 - x1 + 1))
    pixels[y1, x1] = 1
    encoded = cocomask.encode(pixels)
    counts: Any = encoded["counts"].decode()
    if not compressed:
        flat = np.concatenate([[0], pixels.ravel(order="F"), [2]])
        counts = np.diff(np.flatnonzero(np.diff(flat) != 0), prepend=0).tolist()
    mask = {"size": [48, 64], "counts": counts}
    thing = {"image_id": 1, "category_id": 1, "segmentation": mask}
    report = read_content(tmp_path, draw, images(1), [thing])
    assert report.errors == ()
    x, _, w, _ = cocomask.toBbox(encoded)
    [box] = report.images.table["labels"][0].xyxy(64, 48).tolist()
    ys, xs = np.nonzero(pixels)
    assert box == pytest.approx([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    assert box[0] == x
    assert box[2] == pytest.approx(x + w)


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[1, 2, 3, 4]],
        {"size": [48, 64], "counts": [48 * 64]},
        {"size": [48, 64], "counts": [1, 2]},
        {"size": [48, 64], "counts": "\u00e9" * 9},
        {"size": [48, 64], "counts": "o" * 9999},
        {"size": [10, 10], "counts": [1, 2, 97]},
        {"counts": [1]},
    ],
)
def test_neither_box_nor_outline_is_an_error(
    segmentation: Any, tmp_path: Path, draw: Draw
) -> None:
    thing = {"image_id": 1, "category_id": 1, "segmentation": segmentation}
    [problem] = read_content(tmp_path, draw, images(1), [thing]).errors
    assert problem.reason.startswith("annotations[0]: ")


@pytest.mark.parametrize("size", [(64.5, 48), ("x", 48), (64, None), (-64, -48)])
def test_a_size_that_is_none_is_an_error(size: Any, tmp_path: Path, draw: Draw) -> None:
    listed = [images(1)[0] | {"width": size[0], "height": size[1]}]
    [problem] = read_content(tmp_path, draw, listed, []).errors
    assert "image 'a.jpg': expected whole numbers of pixels" in problem.reason


def test_without_a_coco_file_the_files_that_were_looked_at_are_named(
    tmp_path: Path, draw: Draw
) -> None:
    draw(tmp_path / "a.jpg")
    (tmp_path / "log.json").write_text("{}")
    with pytest.raises(InputError, match=r"no COCO file.*log\.json: expected the lists"):
        read(FolderData(root=tmp_path, format="coco"))
    with pytest.raises(InputError, match=r"no labels found.*1 \.json, as .*log\.json"):
        read(FolderData(root=tmp_path))
