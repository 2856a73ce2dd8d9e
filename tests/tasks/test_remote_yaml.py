"""A data.yaml of another machine, in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from backhaul.data.digits import write_scenes
from backhaul.data.formats import DataReport
from backhaul.data.remote import read_remote
from backhaul.data.settings import DigitsData, FolderData
from backhaul.storage.objects import replace as put

NAMES = "names: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']\n"


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[str]:
    """A Roboflow layout in an object store that lies in this process."""
    write_scenes(tmp_path / "scenes", DigitsData(images=4, size_px=48))
    root = "memory://edge/cars"
    for number, image in enumerate(sorted((tmp_path / "scenes/images").iterdir())):
        subset = ("train", "valid")[number % 2]
        label = tmp_path / f"scenes/labels/{image.stem}.txt"
        put(f"{root}/{subset}/images/{image.name}", image.read_bytes())
        put(f"{root}/{subset}/labels/{label.name}", label.read_bytes())
    yield root
    fsspec.filesystem("memory").store.clear()


def look(root: str, yaml: str) -> DataReport:
    put(f"{root}/data.yaml", (yaml + NAMES).encode())
    return read_remote(FolderData(root=root), lambda *_: None, lambda *_: None)


def test_its_folders_are_found_by_their_last_parts(bucket: str) -> None:
    put(f"{bucket}/train/images/more.tif", b"tiff")
    report = look(bucket, "train: /content/cars/train/images\nval: ../valid/images\n")
    assert len(report.images.labelled()) == 4
    [tif, *notes] = report.problems
    assert "1 .tif file (train/images/more.tif) left out" in tif.reason
    assert [note.severity for note in notes] == ["note", "note"]
    assert f"{bucket}/train/images is read in its place" in notes[0].reason


def test_what_no_key_names_and_what_is_nowhere_is_told(bucket: str) -> None:
    report = look(bucket, "train: /content/cars/train/images\ntest: ../test/images\n")
    assert [(problem.path, problem.severity) for problem in report.problems] == [
        (f"{bucket}/data.yaml", "note"),
        (f"{bucket}/data.yaml", "error"),
        (f"{bucket}/valid/images", "warning"),
    ]
