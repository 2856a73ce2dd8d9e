from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from backhaul.cli.data import data as commands
from backhaul.data.decoding import decode
from backhaul.data.formats import read
from backhaul.data.images import ImageFile, ImageReader, UnreadableImageError, at_header
from backhaul.data.limits import ImageLimits
from backhaul.data.memory import Memory, version_on_disk
from backhaul.data.settings import FolderData

SETTLED_S = 2.0
"""How old a file must be to be known again by its times."""


@pytest.fixture
def settled_s(monkeypatch: pytest.MonkeyPatch) -> float:
    """It is enough on the file system of the tests: no test waits for the coarsest clock."""
    seconds = 0.02
    monkeypatch.setattr("backhaul.data.memory._SETTLED_NS", int(seconds * 1e9))
    return seconds


@pytest.fixture
def photos(tmp_path: Path, settled_s: float) -> list[str]:
    """Images that are old enough to be known again by their times."""
    (tmp_path / "set").mkdir()
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / "set" / f"{n}.png") for n in range(20)]
    for path in paths:
        cv2.imwrite(path, rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    settle(settled_s)
    return paths


def settle(seconds: float) -> None:
    time.sleep(1.05 * seconds)  # no program can set the time of the last change of status


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    found = Memory(tmp_path / "cache")
    yield found
    found.close()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths of what was decoded, in order."""
    seen: list[int] = []

    def counted(data: bytes, declared: tuple[int, int]) -> object:
        seen.append(len(data))
        return decode(data, declared)

    monkeypatch.setattr("backhaul.data.images.decode", counted)
    return seen


def test_an_unchanged_file_is_neither_read_nor_decoded_again(
    photos: list[str], memory: Memory, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ImageReader(memory=memory).read(photos)
    assert len(decoded) == len(photos)

    def no_probe(*_: object) -> ImageFile:
        raise AssertionError

    again = ImageReader(probe=no_probe, memory=memory).read(photos)
    assert again == first
    assert all(isinstance(each, ImageFile) and each.likeness is not None for each in again)


def test_a_second_process_remembers(photos: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        memory = Memory(tmp_path / "cache")
        found = ImageReader(memory=memory, look=at_header).read(photos)
        ImageReader(memory=memory).read(photos)
        memory.close()
    assert all(isinstance(each, ImageFile) and each.likeness is not None for each in found)


@pytest.mark.parametrize("change", ["moved", "copied", "touched"])
def test_the_same_content_elsewhere_is_read_and_not_decoded(
    photos: list[str], memory: Memory, decoded: list[int], change: str, tmp_path: Path
) -> None:
    first = ImageReader(memory=memory).read(photos)
    decoded.clear()
    there = photos
    if change == "touched":
        for path in photos:
            os.utime(path, (1, 1))
    else:
        there = [str(tmp_path / f"new-{Path(path).name}") for path in photos]
        for path, new in zip(photos, there, strict=True):
            (shutil.move if change == "moved" else shutil.copy)(path, new)
    again = ImageReader(memory=memory).read(there)
    assert not decoded
    assert [each.image_id for each in again if isinstance(each, ImageFile)] == [
        each.image_id for each in first if isinstance(each, ImageFile)
    ]


def test_a_changed_file_of_the_same_size_and_time_is_looked_at(
    photos: list[str], memory: Memory
) -> None:
    ImageReader(memory=memory).read(photos)
    path = Path(photos[0])
    status, content = path.stat(), path.read_bytes()
    broken = content[:60] + bytes(len(content) - 60)
    path.write_bytes(broken)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    (found,) = ImageReader(memory=memory).read(photos[:1])
    assert isinstance(found, UnreadableImageError)


def test_a_file_that_changed_just_now_is_not_known_by_its_times(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    assert version_on_disk(str(path)) is None
    assert version_on_disk(str(tmp_path / "none.png")) is None
    settle(SETTLED_S)
    assert version_on_disk(str(path)) is not None


def test_limits_hold_for_what_is_remembered(photos: list[str], memory: Memory) -> None:
    ImageReader(memory=memory).read(photos)
    for limits in (ImageLimits(image_pixels=1_999), ImageLimits(image_bytes=100)):
        found = ImageReader(memory=memory, limits=limits).read(photos)
        assert all(isinstance(each, UnreadableImageError) for each in found)


def test_what_another_decoder_saw_is_not_believed(
    photos: list[str], tmp_path: Path, decoded: list[int]
) -> None:
    for decoder in ("OpenCV 1", "OpenCV 2", "OpenCV 1"):
        memory = Memory(tmp_path / "cache", _decoder=decoder)
        ImageReader(memory=memory).read(photos)
        memory.close()
    assert len(decoded) == 2 * len(photos)


def test_broken_images_are_looked_at_each_time(
    tmp_path: Path, memory: Memory, settled_s: float
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    settle(settled_s)
    for _ in range(2):
        (found,) = ImageReader(memory=memory).read([str(path)])
        assert isinstance(found, UnreadableImageError)


@pytest.mark.parametrize("trouble", ["a file in its place", "no database", "read-only"])
def test_a_memory_that_cannot_be_used_costs_a_word(
    photos: list[str], tmp_path: Path, trouble: str, decoded: list[int]
) -> None:
    place = tmp_path / "cache"
    if trouble == "a file in its place":
        place.write_text("x")
    else:
        place.mkdir()
        (place / "images-2.sqlite").write_bytes(b"no database " * 1_000)
    if trouble == "read-only":
        (place / "images-2.sqlite").unlink()
        Memory(place).close()
        with sqlite3.connect(place / "images-2.sqlite") as tables:
            tables.execute(
                "CREATE TRIGGER full BEFORE INSERT ON images "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
    memory = Memory(place)
    found = ImageReader(memory=memory).read(photos)
    assert all(isinstance(each, ImageFile) for each in found)
    assert len(decoded) == len(photos)
    assert memory.trouble is not None
    assert str(place) in memory.trouble
    assert "\n" not in memory.trouble


def test_data_check_remembers_and_says_what_headers_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: list[str], decoded: list[int]
) -> None:
    folder = Path(photos[0]).parent
    (folder / "classes.txt").write_text("a\n")
    for path in photos:
        Path(path).with_suffix(".txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2001\n")
    before = sorted(p.name for p in folder.iterdir())
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "cache"))
    call = ["check", str(folder)]
    quick = CliRunner().invoke(commands, [*call, "--depth", "headers"])
    assert quick.exit_code == 0
    assert "decoder       none" in quick.output
    assert "look alike    not looked for" in quick.output
    assert not decoded
    full = CliRunner().invoke(commands, call)
    assert "look alike    0.0% of the images" in full.output
    assert "on top        20 box pairs, 0 of two classes, in 20 images" in full.output
    assert len(decoded) == 20
    assert CliRunner().invoke(commands, call).output == full.output
    assert len(decoded) == 20
    assert sorted(p.name for p in folder.iterdir()) == before


def test_labels_are_read_anew_while_images_are_remembered(
    photos: list[str], memory: Memory
) -> None:
    folder = Path(photos[0]).parent
    (folder / "classes.txt").write_text("a\n")
    data = FolderData(root=str(folder), format="yolo")
    assert read(data, ImageReader(memory=memory)).images.table["labels"].isna().all()
    Path(photos[0]).with_suffix(".txt").write_text("0 0.5 0.5 0.2 0.2\n")
    assert read(data, ImageReader(memory=memory)).images.table["labels"].notna().sum() == 1
