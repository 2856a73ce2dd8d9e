from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from backhaul.data.check import ClassCount, Spread, summarize
from backhaul.data.formats import DataReport, Problem
from backhaul.values.images import IMAGE_COLUMNS, ImageSet, empty_image_set
from backhaul.values.labels import Labels

PROBLEMS = (
    Problem("/d/labels/a.txt", 3, "class 7 is out of range 0..1", "error"),
    Problem(
        "/d/images/b.png", None, "unreadable image, left out: the file is empty", "warning"
    ),
)


def row(
    name: str, size: tuple[int, int, int], group: str | None, labels: Labels | None
) -> tuple[object, ...]:
    return (name, f"/d/{name}.png", *size, group, labels, None, None)


def example() -> DataReport:
    rows = [
        row(
            "a",
            (100, 50, 10),
            "x",
            Labels.from_rows([[0, 0.5, 0.5, 0.5, 0.5], [0, 0.5, 0.5, 0.1, 0.2]]),
        ),
        row(
            "b",
            (200, 80, 30),
            "x",
            Labels.from_rows([[1, 0.5, 0.5, 0.2, 0.1], [0, 0.5, 0.5, 1.0, 1.0]]),
        ),
        row("c", (300, 90, 20), None, Labels.empty()),
        row("d", (300, 90, 40), "y", None),
    ]
    table = pd.DataFrame(
        {
            name: pd.Series([r[i] for r in rows], dtype=object)
            for i, name in enumerate(IMAGE_COLUMNS)
        }
    )
    return DataReport(ImageSet(table, ("weiß", "b", "c")), PROBLEMS)


def test_everything_is_counted() -> None:
    summary = summarize(example())
    assert (summary.n_images, summary.n_labelled, summary.n_empty) == (4, 3, 1)
    assert (summary.n_unlabelled, summary.n_groups, summary.n_boxes) == (1, 2, 4)
    assert summary.classes == (
        ClassCount("weiß", n_images=2, n_boxes=3),
        ClassCount("b", n_images=1, n_boxes=1),
        ClassCount("c", n_images=0, n_boxes=0),
    )
    assert (summary.width_px, summary.height_px) == (
        Spread(100, 225, 300),
        Spread(50, 77.5, 90),
    )
    assert (summary.size_bytes, summary.total_bytes) == (Spread(10, 25, 40), 100)
    assert summary.box_width_px == Spread(10, (50 + 10 + 40 + 200) / 4, 200)
    assert summary.box_height_px == Spread(8, (25 + 10 + 8 + 80) / 4, 80)
    area = (summary.box_area.low, summary.box_area.mean, summary.box_area.high)
    assert area == pytest.approx((0.02, (0.25 + 0.02 + 0.02 + 1) / 4, 1))
    assert (summary.n_errors, summary.n_warnings, summary.problems) == (1, 1, PROBLEMS)


def test_an_empty_set_has_a_summary() -> None:
    summary = summarize(DataReport(empty_image_set(("a",)), ()))
    assert (summary.n_images, summary.n_boxes, summary.total_bytes) == (0, 0, 0)
    assert summary.width_px == summary.box_area == Spread(None, None, None)
    assert "image width   - px" in summary.to_text()
    assert json.loads(summary.to_json())["classes"] == [
        {"name": "a", "n_images": 0, "n_boxes": 0}
    ]


def test_the_text_names_classes_and_lists_all_problems() -> None:
    lines = summarize(example()).to_text().splitlines()
    assert "  0  weiß          2         3" in lines
    assert "1 errors, 1 warnings, 0 notes" in lines
    assert "/d/labels/a.txt:3: error: class 7 is out of range 0..1" in lines
    assert "/d/images/b.png: warning: unreadable image, left out: the file is empty" in lines


def test_json_holds_all_of_it() -> None:
    content = json.loads(summarize(example()).to_json())
    assert content["width_px"] == {"low": 100, "mean": 225, "high": 300}
    assert content["problems"][0] == {
        "path": "/d/labels/a.txt",
        "line": 3,
        "reason": "class 7 is out of range 0..1",
        "severity": "error",
        "image": None,
    }


MEASURE = """
import resource, sys
from pathlib import Path
from backhaul.data.settings import FolderData
from backhaul.data.check import summarize
from backhaul.data.formats import read

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
summary = summarize(read(FolderData(root=Path(sys.argv[1]))))
print(summary.n_images, summary.n_boxes, summary.n_errors, peak() - before)
"""


def test_memory_for_200000_images_stays_below_a_gigabyte_and_a_half(tmp_path: Path) -> None:
    n = 10_000
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: [a, b]")
    header = struct.pack(
        "<2sIHHI IiiHHIIiiII", b"BM", 62, 0, 0, 54, 40, 2, 1, 1, 24, 0, 8, 0, 0, 0, 0
    )
    for number in range(n):
        pixels = struct.pack("<Q", number)
        (tmp_path / "images" / f"{number}.bmp").write_bytes(header + pixels)
        (tmp_path / "labels" / f"{number}.txt").write_text("0 0.5 0.5 1 1\n1 0.5 0.5 0.5 1\n")
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    n_images, n_boxes, n_errors, n_bytes = map(int, result.stdout.split())
    assert (n_images, n_boxes, n_errors) == (n, 2 * n, 0)
    assert n_bytes * 200_000 / n < 1.2e9  # the interpreter and its libraries take the rest
