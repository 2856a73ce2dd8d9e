"""The published BCCD data set: 4,888 boxes, of which two red cells are single points."""

from __future__ import annotations

from pathlib import Path

import pytest

from backhaul.data.check import summarize
from backhaul.data.formats import FORMATS, DataReport, read
from backhaul.data.settings import FolderData


@pytest.fixture(scope="module")
def report(bccd: Path) -> DataReport:
    return read(FolderData(root=bccd))


def test_every_image_and_box_is_found(report: DataReport) -> None:
    summary = summarize(report)
    assert summary.n_images == summary.n_labelled == 364
    counts = {count.name: count.n_boxes for count in summary.classes}
    assert counts == {"Platelets": 361, "RBC": 4155 - 2, "WBC": 372}
    assert (summary.width_px.low, summary.width_px.high) == (640, 640)
    assert (summary.height_px.low, summary.height_px.high) == (480, 480)


def test_the_points_are_reported_and_a_campaign_can_start(report: DataReport) -> None:
    report.require_clean()
    assert [(Path(problem.path).name, problem.reason) for problem in report.problems] == [
        ("BloodImage_00338.xml", "object 13 (RBC): box without area, left out"),
        ("BloodImage_00343.xml", "object 4 (RBC): box without area, left out"),
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_it_survives_every_format(report: DataReport, tmp_path: Path, name: str) -> None:
    FORMATS[name].write(tmp_path / "written", report.images)
    again = read(FolderData(root=tmp_path / "written"))
    assert again.problems == ()
    assert [c.n_boxes for c in summarize(again).classes] == [361, 4153, 372]
    assert set(again.images.ids) == set(report.images.ids)
