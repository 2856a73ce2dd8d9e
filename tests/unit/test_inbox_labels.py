"""Files that annotators put into the store."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.data.images import ImageFile
from backhaul.inbox.labels import read_labels

IMAGE = ImageFile("cam/a.jpg", "0" * 32, 64, 48, 1000)
KINDS: dict[str, Callable[[Path], object]] = {
    "is a pipe": os.mkfifo,
    "is a folder": Path.mkdir,
    "is a link to nothing": lambda path: path.symlink_to("gone"),
    "is a device": lambda path: path.symlink_to("/dev/zero"),
    "expected UTF-8 text": lambda path: path.write_bytes(b"\xff"),
    "expected at most 16,777,216": lambda path: path.write_bytes(b"\n" * (2**24 + 1)),
    "lines, expected at most 100,000": lambda path: path.write_bytes(b"0\n" * 100_001),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_label_file_is_named_and_no_label(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    KINDS[kind](path)
    labels, [problem] = read_labels(str(path), IMAGE, 3)
    assert labels is None
    assert problem.severity == "error"
    assert kind in str(problem)


def test_an_image_without_a_file_has_no_labels_and_no_problem(tmp_path: Path) -> None:
    assert read_labels(str(tmp_path / "cam/a.txt"), IMAGE, 3) == (None, [])
