"""Small inputs that went wrong in YOLO sets, and a real export of somebody else."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from backhaul.cli import main
from backhaul.data.check import summarize
from backhaul.data.formats import DataReport, read
from backhaul.data.settings import FolderData
from tests.unit.formats.conftest import BCCD

SHARED = BCCD.parent
WHAT = {
    "yolo-nfd-beside": (0, 2, "0 errors, 0 warnings, 0 notes"),
    "tif-beside": (0, 2, "warning: 1 .tif file (c.tif) left out"),
    "roboflow-no-test-key": (0, 4, "test/images: warning: 2 images, 2 of them with labels"),
    "roboflow-moved": (0, 4, "note: train: Cars-2/train/images: is not there"),
    "yaml-colab-path": (
        0,
        3,
        "note: test: /content/drive/MyDrive/plant/FST/test/images: is not",
    ),
    "labelimg-two-orders": (2, None, "shift_b/classes.txt are different class lists"),
}


@pytest.fixture
def faults(bccd: Path) -> Path:
    return SHARED / "faults"


@pytest.mark.parametrize("name", WHAT)
def test_a_fault_is_read_or_named(
    name: str,
    faults: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, n_images, said = WHAT[name]
    monkeypatch.setattr(sys, "argv", ["backhaul", "data", "check", str(faults / name)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code == code
    assert said in told.out + told.err
    if n_images is not None:
        report = read(FolderData(root=faults / name))
        assert len(report.images) == len(report.images.labelled()) == n_images


def test_images_that_a_training_could_not_decode_are_named(
    faults: Path, tmp_path: Path
) -> None:
    for path in (faults / "images-undecodable").iterdir():
        shutil.copyfile(path, tmp_path / path.name)
        (tmp_path / path.name).with_suffix(".txt").write_text("")
    (tmp_path / "classes.txt").write_text("a\n")
    report = read(FolderData(root=tmp_path))
    assert [Path(p.path).name for p in report.problems] == ["headeronly.jpg", "lossless.jpg"]
    assert all("unreadable image, left out" in problem.reason for problem in report.problems)


@pytest.fixture(scope="module")
def parking(bccd: Path) -> DataReport:
    return read(FolderData(root=SHARED / "parking"))


def test_every_image_and_line_of_a_real_export_is_found(parking: DataReport) -> None:
    summary = summarize(parking)
    assert (summary.n_images, summary.n_labelled, summary.n_boxes) == (218, 218, 17_307)
    assert (summary.n_errors, summary.n_warnings, summary.n_notes) == (0, 1, 4)
    parking.require_clean()


def test_what_a_real_export_holds_besides_is_told(parking: DataReport) -> None:
    [lost] = [problem for problem in parking.problems if problem.severity == "warning"]
    assert lost.path.endswith("parking/train/labels1111")
    assert lost.reason.startswith("176 .txt files")
    assert "3612 objects in 42 images have an outline" in parking.problems[0].reason
