"""Names in the inbox, and what nodes say that they saw.

Defects of the earlier tool: it had no inbox; 13 (label paths) is tested here as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.data.images import ImageFile
from backhaul.errors import InputError
from backhaul.inbox.files import (
    LOG_COLUMNS,
    fused_of,
    images_of,
    is_complete,
    label_file,
    node_and_name,
    sort_out,
)
from backhaul.inbox.sidecar import read_detections
from backhaul.storage.parquet import from_parquet, to_parquet
from backhaul.values.detections import FUSED_COLUMNS
from backhaul.values.images import IMAGE_COLUMNS

CLASSES = ("car", "bus")
IMAGE = ImageFile("cam/a.jpg", "0" * 32, 100, 50, 1234)
GOOD = {"class_id": 1, "confidence": 0.5, "xyxy": [10, 5, 20, 25]}


def rows_of(*seen: str | None) -> pd.DataFrame:
    n = len(seen)
    columns = {
        "image_id": [f"{k:032x}" for k in range(n)],
        "uri": [f"/store/{k}.jpg" for k in range(n)],
        "width": [100] * n,
        "height": [50] * n,
        "size_bytes": [9] * n,
        "node": ["cam"] * n,
        "name": [f"{k}.jpg" for k in range(n)],
        "arrived": [pd.Timestamp("2026-11-21T10:00", tz="UTC")] * n,
        "detections": list(seen),
    }
    return pd.DataFrame(columns, columns=list(LOG_COLUMNS))


def read(detections: Any) -> tuple[str | None, list[str]]:
    data = detections if isinstance(detections, bytes) else json.dumps(detections).encode()
    seen, problems = read_detections(data, "a.detections.json", IMAGE, CLASSES)
    return seen, [str(problem) for problem in problems]


def test_names_are_sorted_out() -> None:
    contents = sort_out(
        [
            "cam/b.PNG",
            "cam/a.jpg",
            "cam/a.png",
            "cam/a.detections.json",
            "cam/x/late.detections.json",
            "cam/x/a.jpg",
            "cam/a.jpg.part",
            "cam/.c.jpg",
            "cam/readme.md",
            "stray.jpg",
        ]
    )
    assert contents.images == ("cam/a.jpg", "cam/a.png", "cam/b.PNG", "cam/x/a.jpg")
    assert contents.detections == {"cam/a.jpg": "cam/a.detections.json"}
    assert contents.others == ("cam/readme.md", "cam/x/late.detections.json", "stray.jpg")
    assert [problem.path for problem in contents.problems] == ["'stray.jpg'"]


@given(st.lists(st.text(".ab/\udc80", max_size=6).map(lambda name: f"{name}.jpg"), unique=True))
def test_every_complete_file_is_exactly_one_thing(names: list[str]) -> None:
    contents = sort_out(names)
    found = [*contents.images, *contents.detections.values(), *contents.others]
    assert sorted(found) == sorted(filter(is_complete, names))
    for image in contents.images:
        node, name = node_and_name(image)
        assert node
        assert name
        assert f"{node}/{name}".encode().decode() == image


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("a.jpg", "cam/a.txt"),
        ("a.b.jpeg", "cam/a.b.txt"),
        ("images/x/a.JPG", "cam/images/x/a.txt"),
    ],
)
def test_defect_13_labels_are_found_by_name_not_by_text(name: str, labels: str) -> None:
    assert label_file("cam", name) == labels


def test_a_good_list_comes_back_as_fused_detections() -> None:
    more = {"class": "car", "confidence": 1, "xyxy": [0, 0, 100.5, 50], "model": "v7"}
    spread = {**GOOD, "class": "bus", "confidence_std": 0.1, "votes": 4}
    seen, problems = read([GOOD, more, spread])
    assert problems == []
    table = fused_of(rows_of(None, seen, "[]"), CLASSES).table
    assert tuple(table.columns) == (*FUSED_COLUMNS, "box_spread")
    assert table.drop(columns=["image_id", "box_spread"]).to_numpy().tolist() == [
        [0, 1.0, 0.0, 1, 0, 0, 100, 50],  # clipped, the most confident first
        [1, 0.5, 0.0, 1, 10, 5, 20, 25],
        [1, 0.5, 0.1, 4, 10, 5, 20, 25],
    ]
    assert set(table["image_id"]) == {f"{1:032x}"}


def test_nothing_seen_is_not_the_same_as_not_known() -> None:
    assert read([]) == ("[]", [])
    assert len(fused_of(rows_of("[]", None), CLASSES).table) == 0
    assert fused_of(rows_of(), CLASSES).table["votes"].dtype == "int64"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"class_id": 2}, "detection 1: class 2 is out of range 0..1"),
        ({"class_id": -1}, "detection 1: class -1 is out of range"),
        ({"class_id": None, "class": "tram"}, "detection 1: class 'tram' is none of car, bus"),
        ({"class_id": None}, "detection 1: expected one class"),
        ({"class": "car"}, "detection 1: expected one class, got 1 and 'car'"),
        ({"class_id": "1"}, "detection 1: class_id: Input should be a valid integer"),
        ({"class_id": True}, "detection 1: class_id: Input should be a valid integer"),
        (
            {"confidence": 1.5},
            "detection 1: confidence: Input should be less than",
        ),
        ({"confidence": None}, "detection 1: confidence: Input should be a valid number"),
        ({"confidence": float("nan")}, "detection 1: confidence: Input should be a finite"),
        ({"xyxy": [1, 2, 3]}, "detection 1: xyxy: 3: Field required"),
        ({"xyxy": [20, 5, 10, 25]}, "detection 1: negative width or height"),
        ({"xyxy": [10, 5, 120, 25]}, "detection 1: box out of range: x from 10 to 120 px"),
        ({"xyxy": [1, 2, 3, float("inf")]}, "detection 1: xyxy: 3: Input should be a finite"),
        ({"votes": 0}, "detection 1: votes: Input should be greater than or equal to 1"),
        ({"confidence_std": -1}, "detection 1: confidence_std: Input should be greater"),
    ],
)
def test_a_wrong_detection_is_named_and_all_are_unknown(
    change: dict[str, Any], reason: str
) -> None:
    seen, problems = read([GOOD, {**GOOD, **change}])
    assert seen is None
    assert problems[0].startswith(f"a.detections.json: error: {reason}")


@pytest.mark.parametrize("data", [b"", b"[{", b"{}", b"\xff", b"null", b'["x"]'])
def test_what_is_no_list_of_detections_is_a_problem_in_one_line(data: bytes) -> None:
    seen, [problem] = read(data)
    assert seen is None
    assert "\n" not in problem


def test_a_detection_without_area_is_left_out() -> None:
    seen, problems = read([GOOD, {**GOOD, "xyxy": [10, 5, 10, 25]}])
    assert seen is not None
    assert len(json.loads(seen)) == 1
    assert problems == ["a.detections.json: warning: detection 1: box without area, left out"]


def test_classes_are_kept_by_name() -> None:
    seen, _ = read([GOOD])
    assert fused_of(rows_of(seen), ("tram", "bus", "car")).table["class_id"].tolist() == [1]
    assert fused_of(rows_of(seen), ("bus", "car")).table["class_id"].tolist() == [0]
    with pytest.raises(InputError, match="class 'bus' is none of car"):
        fused_of(rows_of(seen), ("car",))


@pytest.mark.parametrize("seen", [(), (None,), ("[]", None)])
def test_rows_that_were_stored_serve_as_well(seen: tuple[str | None, ...]) -> None:
    rows = from_parquet(pd.DataFrame, to_parquet(rows_of(*seen)))
    images = images_of(rows, CLASSES)
    assert tuple(images.table.columns) == IMAGE_COLUMNS
    assert images.table[["group", "labels", "copy_of"]].isna().all(axis=None)
    assert len(to_parquet(images)) > 0
    assert len(fused_of(rows, CLASSES).table) == 0


def test_a_part_of_the_rows_keeps_its_order() -> None:
    rows = rows_of(None, None, None).iloc[[2, 0]]
    assert images_of(rows, CLASSES).ids == (f"{2:032x}", f"{0:032x}")


def test_the_example_of_the_guide_is_read() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "inbox.md").read_text("utf-8")
    example = guide.split("```json\n")[1].split("```")[0]
    seen, problems = read_detections(
        example.encode(), "a", ImageFile("a", "0" * 32, 640, 480, 9), CLASSES
    )
    assert problems == []
    table = fused_of(rows_of(seen), CLASSES).table
    assert table[["class_id", "votes"]].to_numpy().tolist() == [[0, 1], [1, 5]]
