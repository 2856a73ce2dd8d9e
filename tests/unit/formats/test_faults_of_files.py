"""Small data sets that other tools read wrongly, through the command that people use."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backhaul.cli.commands import app

FAULTS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "faults"
ENDS: dict[str, tuple[int, str]] = {
    "coco-dup-image-id": (2, "two images have the id 1: 'cam1_1.jpg', 'cam2_1.jpg'"),
    "coco-ambiguous": (2, "which image is it about? Several files are named '0001.jpg'"),
    "roboflow-coco-group": (0, "note: category 'ponds' (id 0) is no class"),
    "roboflow-coco-same-name": (0, "note: category 'carp' (id 0) is no class"),
    "json-not-coco": (0, "0 errors, 0 warnings"),
    "voc-gb2312": (2, "its encoding is gb2312, which is not understood"),
    "voc-enc-unknown": (2, "its encoding is unicode, which is not understood"),
    "cvat-images-alone": (0, "0 errors, 0 warnings"),
    "voc-plus-cvat-xml": (2, "labelled in several formats (voc, cvat)"),
    "csv-float-size": (0, "0 errors, 0 warnings"),
    "csv-normalised": (0, "warning: all boxes lie within 0 to 1 pixels"),
    "kitti-two-word-class": (2, "000000.txt:1: column 2 is no number"),
    "kitti-dontcare-case": (0, "warning: 3 DontCare regions in 1 files left out"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_it_ends_as_it_should(kind: str) -> None:
    if not FAULTS.is_dir():
        pytest.skip("there is no ../shared/data/faults beside the repository")
    code, said = ENDS[kind]
    result = CliRunner().invoke(app, ["data", "check", str(FAULTS / kind)])
    told = result.stdout if result.exit_code == code else str(result.exception)
    assert said in told
    assert code == (2 if result.exit_code else 0)
